package policies

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// kube-proxy puts its own rules first in the table `filter`, and lets through what they know.
const table = "mangle"

// What comes in a burst is taken together.
const burst = 50 * time.Millisecond

// Run keeps the rules up to date until it is told to end, and then takes them away.
func Run(arguments []string) error {
	flags := flag.NewFlagSet("network-policies", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the cluster")
	listen := flags.String("listen", "", "where it is asked whether it works")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var ready atomic.Bool
	go answer(*listen, &ready, stop)
	if err := watch(ctx, client, &ready); err != nil {
		return err
	}
	return takeAway()
}

// answer says with 200 that the rules have been set once.
func answer(address string, ready *atomic.Bool, stop func()) {
	err := http.ListenAndServe(address, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			answer.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	fmt.Fprintln(os.Stderr, "network-policies:", err)
	stop()
}

func watch(ctx context.Context, client kubernetes.Interface, ready *atomic.Bool) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	namespaces := factory.Core().V1().Namespaces()
	pods := factory.Core().V1().Pods()
	policies := factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	for _, informer := range []cache.SharedIndexInformer{namespaces.Informer(), pods.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { tell() },
			UpdateFunc: func(any, any) { tell() },
			DeleteFunc: func(any) { tell() },
		}); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	tell()
	var before string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		var cluster Cluster
		var failed [3]error
		cluster.Namespaces, failed[0] = namespaces.Lister().List(labels.Everything())
		cluster.Pods, failed[1] = pods.Lister().List(labels.Everything())
		cluster.Policies, failed[2] = policies.Lister().List(labels.Everything())
		if err := errors.Join(failed[:]...); err != nil {
			return err
		}
		chains := cluster.chains()
		if text := restoring(chains, nil); text != before {
			if err := set(chains); err != nil {
				fmt.Fprintln(os.Stderr, "network-policies:", err)
				time.AfterFunc(time.Second, tell)
				continue
			}
			before = text
		}
		ready.Store(true)
		time.Sleep(burst)
	}
}

// restoring returns what iptables-restore reads: all at once, the old rules hold until the new ones do.
func restoring(chains []chain, stale []string) string {
	var text strings.Builder
	text.WriteString("*" + table + "\n")
	for _, one := range chains {
		fmt.Fprintf(&text, ":%s - [0:0]\n", one.name)
	}
	for _, name := range stale {
		fmt.Fprintf(&text, ":%s - [0:0]\n", name)
	}
	for _, one := range chains {
		for _, rule := range one.rules {
			fmt.Fprintf(&text, "-A %s %s\n", one.name, rule)
		}
	}
	for _, name := range stale {
		fmt.Fprintf(&text, "-X %s\n", name)
	}
	text.WriteString("COMMIT\n")
	return text.String()
}

func set(chains []chain) error {
	there, err := existing()
	if err != nil {
		return err
	}
	stale := slices.DeleteFunc(there, func(name string) bool {
		return slices.ContainsFunc(chains, func(one chain) bool { return one.name == name })
	})
	if _, err := iptables(restoring(chains, stale), "iptables-restore", "--noflush", "--wait"); err != nil {
		return err
	}
	hook := []string{"FORWARD", "-j", rootChain}
	if _, err := iptables("", "iptables", append([]string{"-w", "-t", table, "-C"}, hook...)...); err == nil {
		return nil
	}
	_, err = iptables("", "iptables", append([]string{"-w", "-t", table, "-I"}, hook...)...)
	return err
}

// existing returns the pods' chains that are there.
func existing() ([]string, error) {
	text, err := iptables("", "iptables-save", "-t", table)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, line := range strings.Split(text, "\n") {
		if name, is := strings.CutPrefix(line, ":"); is && strings.HasPrefix(name, chainPrefix) {
			found = append(found, strings.Fields(name)[0])
		}
	}
	return found, nil
}

func takeAway() error {
	there, err := existing()
	if err != nil {
		return err
	}
	if _, err := iptables("", "iptables", "-w", "-t", table, "-D", "FORWARD", "-j", rootChain); err != nil {
		return err
	}
	_, err = iptables(restoring(nil, append([]string{rootChain}, there...)), "iptables-restore", "--noflush", "--wait")
	return err
}

// iptables runs one of its programs and returns what it prints.
func iptables(input, program string, arguments ...string) (string, error) {
	var output, complaint bytes.Buffer
	command := exec.Command(program, arguments...)
	command.Stdin = strings.NewReader(input)
	command.Stdout, command.Stderr = &output, &complaint
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(arguments, " "), err, strings.TrimSpace(complaint.String()))
	}
	return output.String(), nil
}
