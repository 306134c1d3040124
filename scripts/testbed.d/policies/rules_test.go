package policies

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func namespace(name string, of map[string]string) *core.Namespace {
	return &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: of}}
}

func pod(namespace, name, address string) *core.Pod {
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec: core.PodSpec{Containers: []core.Container{{
			Ports: []core.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: core.ProtocolTCP}},
		}}},
		Status: core.PodStatus{PodIP: address, Phase: core.PodRunning},
	}
}

func policy(spec networking.NetworkPolicySpec) *networking.NetworkPolicy {
	return &networking.NetworkPolicy{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "one"}, Spec: spec}
}

// rulesOf returns the rules of the chain that packets to (`-d`) or from (`-s`) the address are sent to; nil where there is none.
func rulesOf(t *testing.T, cluster Cluster, own, address string) []string {
	t.Helper()
	chains := cluster.chains()
	for _, rule := range chains[0].rules {
		if name, is := strings.CutPrefix(rule, own+" "+address+"/32 -j "); is {
			at := slices.IndexFunc(chains, func(one chain) bool { return one.name == name })
			if at < 0 || len(name) > 28 {
				t.Fatalf("%s is sent to %q, which can't be", address, name)
			}
			return chains[at].rules
		}
	}
	return nil
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func cluster(policies ...*networking.NetworkPolicy) Cluster {
	return Cluster{
		Namespaces: []*core.Namespace{namespace("shop", nil), namespace("other", map[string]string{"peer": "yes"})},
		Pods: []*core.Pod{
			pod("shop", "web", "10.244.0.2"), pod("shop", "db", "10.244.0.3"), pod("other", "web", "10.244.0.4"),
		},
		Policies: policies,
	}
}

func TestNothingIsCutWithoutAPolicy(t *testing.T) {
	if got := cluster().chains(); len(got) != 1 || len(got[0].rules) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestAPolicyWithoutRulesCutsWhatComesIn(t *testing.T) {
	deny := cluster(policy(networking.NetworkPolicySpec{PolicyTypes: []networking.PolicyType{networking.PolicyTypeIngress}}))
	expect(t, rulesOf(t, deny, "-d", "10.244.0.2"), "-s 10.244.0.2/32 -j RETURN", "-j DROP")
	expect(t, rulesOf(t, deny, "-d", "10.244.0.3"), "-s 10.244.0.3/32 -j RETURN", "-j DROP")
	expect(t, rulesOf(t, deny, "-s", "10.244.0.2"))
	expect(t, rulesOf(t, deny, "-d", "10.244.0.4"))
}

func TestPeersAreOfTheirNamespaces(t *testing.T) {
	number := intstr.FromInt32(5432)
	chosen := policy(networking.NetworkPolicySpec{
		PodSelector: meta.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
		Ingress: []networking.NetworkPolicyIngressRule{
			{From: []networking.NetworkPolicyPeer{{PodSelector: &meta.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}},
				Ports: []networking.NetworkPolicyPort{{Port: &number}}},
			{From: []networking.NetworkPolicyPeer{{NamespaceSelector: &meta.LabelSelector{MatchLabels: map[string]string{"peer": "yes"}}}}},
		},
	})
	expect(t, rulesOf(t, cluster(chosen), "-d", "10.244.0.3"), "-s 10.244.0.3/32 -j RETURN",
		"-s 10.244.0.2/32 -p tcp --dport 5432 -j RETURN", "-s 10.244.0.4/32 -j RETURN", "-j DROP")
	expect(t, rulesOf(t, cluster(chosen), "-d", "10.244.0.2"))
}

func TestANameOfAPortIsTheOtherPods(t *testing.T) {
	name := intstr.FromString("http")
	out := policy(networking.NetworkPolicySpec{
		PodSelector: meta.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		PolicyTypes: []networking.PolicyType{networking.PolicyTypeEgress},
		Egress:      []networking.NetworkPolicyEgressRule{{Ports: []networking.NetworkPolicyPort{{Port: &name}}}},
	})
	expect(t, rulesOf(t, cluster(out), "-s", "10.244.0.2"), "-d 10.244.0.2/32 -j RETURN",
		"-d 10.244.0.4/32 -p tcp --dport 8080 -j RETURN", "-d 10.244.0.3/32 -p tcp --dport 8080 -j RETURN",
		"-d 10.244.0.2/32 -p tcp --dport 8080 -j RETURN", "-j DROP")
	expect(t, rulesOf(t, cluster(out), "-d", "10.244.0.2"))
}

func TestPodsThatHaveEndedOrHaveNoAddressOfTheirOwnAreLeftOut(t *testing.T) {
	deny := cluster(policy(networking.NetworkPolicySpec{}))
	deny.Pods[0].Status.Phase = core.PodSucceeded
	deny.Pods[1].Spec.HostNetwork = true
	if got := deny.chains(); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestExceptionsAreTakenOutOfABlock(t *testing.T) {
	got := blocks(&networking.IPBlock{CIDR: "10.0.0.0/22", Except: []string{"10.0.1.0/24", "10.0.2.128/25"}})
	var text []string
	for _, block := range got {
		text = append(text, block.String())
	}
	expect(t, text, "10.0.0.0/24", "10.0.2.0/25", "10.0.3.0/24")
	if len(without(netip.MustParsePrefix("10.0.1.0/24"), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})) != 0 {
		t.Error("something is left of a block that is excepted whole")
	}
}
