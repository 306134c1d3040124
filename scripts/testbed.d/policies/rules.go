// Package policies keeps pods from what NetworkPolicies do not allow them, with iptables. What the node itself sends, and what
// is sent to it (DNS, the API server, the registry), is never cut.
package policies

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Cluster is all that the rules depend on.
type Cluster struct {
	Namespaces []*core.Namespace
	Pods       []*core.Pod
	Policies   []*networking.NetworkPolicy
}

// chain is one of iptables: its name, and what is asked of a packet in turn. RETURN allows it, as far as this chain goes.
type chain struct {
	name  string
	rules []string
}

const (
	rootChain = "KILTER-POLICIES"
	// What is before the hash in the name of a pod's chain: iptables takes names of 28 characters.
	chainPrefix = "KILTER-POD-"
)

// target is where a rule lets a packet come from or go to: a range of addresses, of one pod where it is one.
type target struct {
	addresses string
	pod       *core.Pod
}

// chains returns the root chain, and one for each pod and direction that a policy is about, in an order that does not change.
func (c Cluster) chains() []chain {
	root := chain{name: rootChain, rules: []string{"-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"}}
	all := []chain{}
	for _, pod := range c.pods() {
		for _, direction := range []networking.PolicyType{networking.PolicyTypeEgress, networking.PolicyTypeIngress} {
			policies := c.about(pod, direction)
			if len(policies) == 0 {
				continue
			}
			own, other := "-d", "-s"
			if direction == networking.PolicyTypeEgress {
				own, other = other, own
			}
			one := chain{name: chainName(pod, direction)}
			// A pod may always reach itself, through a Service too.
			one.rules = append(one.rules, fmt.Sprintf("%s %s/32 -j RETURN", other, pod.Status.PodIP))
			for _, policy := range policies {
				one.rules = append(one.rules, c.allowed(pod, policy, direction)...)
			}
			one.rules = append(one.rules, "-j DROP")
			root.rules = append(root.rules, fmt.Sprintf("%s %s/32 -j %s", own, pod.Status.PodIP, one.name))
			all = append(all, one)
		}
	}
	return append([]chain{root}, all...)
}

func chainName(pod *core.Pod, direction networking.PolicyType) string {
	sum := sha256.Sum256([]byte(pod.Namespace + "/" + pod.Name + "/" + string(direction)))
	return fmt.Sprintf("%s%x", chainPrefix, sum[:8])
}

// pods returns those that have an address of their own and use it.
func (c Cluster) pods() []*core.Pod {
	var running []*core.Pod
	for _, pod := range c.Pods {
		ended := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
		if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil && address.Is4() && !ended && !pod.Spec.HostNetwork {
			running = append(running, pod)
		}
	}
	sort.Slice(running, func(i, j int) bool {
		return running[i].Namespace+"/"+running[i].Name < running[j].Namespace+"/"+running[j].Name
	})
	return running
}

// about returns the policies that say what the pod may do in one direction.
func (c Cluster) about(pod *core.Pod, direction networking.PolicyType) []*networking.NetworkPolicy {
	var found []*networking.NetworkPolicy
	for _, policy := range c.Policies {
		types := policy.Spec.PolicyTypes
		if len(types) == 0 {
			types = []networking.PolicyType{networking.PolicyTypeIngress}
			if len(policy.Spec.Egress) > 0 {
				types = append(types, networking.PolicyTypeEgress)
			}
		}
		if policy.Namespace == pod.Namespace && slices.Contains(types, direction) && selects(&policy.Spec.PodSelector, pod.Labels) {
			found = append(found, policy)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found
}

// selects tells whether a selector that is there matches; one that can't be read matches nothing.
func selects(selector *meta.LabelSelector, of map[string]string) bool {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(of))
}

// allowed returns the rules for what the policy lets through.
func (c Cluster) allowed(pod *core.Pod, policy *networking.NetworkPolicy, direction networking.PolicyType) []string {
	var rules []string
	if direction == networking.PolicyTypeIngress {
		for _, rule := range policy.Spec.Ingress {
			for _, from := range c.targets(policy.Namespace, rule.From) {
				for _, port := range ports(rule.Ports, pod) {
					rules = append(rules, words(option("-s", from.addresses), port, "-j RETURN"))
				}
			}
		}
		return rules
	}
	for _, rule := range policy.Spec.Egress {
		targets := c.targets(policy.Namespace, rule.To)
		if named(rule.Ports) {
			// What a name means, each pod says for itself.
			targets = append(targets, c.eachOf(targets)...)
		}
		for _, to := range targets {
			for _, port := range ports(rule.Ports, to.pod) {
				rules = append(rules, words(option("-d", to.addresses), port, "-j RETURN"))
			}
		}
	}
	return rules
}

// targets returns whom the peers mean; no peers mean everybody.
func (c Cluster) targets(namespace string, peers []networking.NetworkPolicyPeer) []target {
	if len(peers) == 0 {
		return []target{{}}
	}
	var found []target
	for _, peer := range peers {
		if peer.IPBlock != nil {
			for _, block := range blocks(peer.IPBlock) {
				found = append(found, target{addresses: block.String()})
			}
			continue
		}
		for _, pod := range c.pods() {
			if c.isPeer(namespace, peer, pod) {
				found = append(found, target{addresses: pod.Status.PodIP + "/32", pod: pod})
			}
		}
	}
	return found
}

func (c Cluster) isPeer(namespace string, peer networking.NetworkPolicyPeer, pod *core.Pod) bool {
	if peer.NamespaceSelector == nil && pod.Namespace != namespace {
		return false
	}
	if peer.NamespaceSelector != nil {
		at := slices.IndexFunc(c.Namespaces, func(n *core.Namespace) bool { return n.Name == pod.Namespace })
		if at < 0 || !selects(peer.NamespaceSelector, c.Namespaces[at].Labels) {
			return false
		}
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)
}

// eachOf returns the pods that are within targets which are ranges.
func (c Cluster) eachOf(targets []target) []target {
	var found []target
	for _, one := range targets {
		if one.pod != nil {
			continue
		}
		within, err := netip.ParsePrefix(one.addresses)
		for _, pod := range c.pods() {
			if one.addresses == "" || err == nil && within.Contains(netip.MustParseAddr(pod.Status.PodIP)) {
				found = append(found, target{addresses: pod.Status.PodIP + "/32", pod: pod})
			}
		}
	}
	return found
}

func named(ports []networking.NetworkPolicyPort) bool {
	return slices.ContainsFunc(ports, func(p networking.NetworkPolicyPort) bool { return p.Port != nil && p.Port.StrVal != "" })
}

// ports returns iptables' words for each port; none given means any. Names are those of the pod that is connected to: where it
// is not known, or has no such port, a name allows nothing.
func ports(given []networking.NetworkPolicyPort, pod *core.Pod) []string {
	if len(given) == 0 {
		return []string{""}
	}
	var found []string
	for _, port := range given {
		protocol := core.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		words := "-p " + strings.ToLower(string(protocol))
		switch {
		case port.Port == nil:
			found = append(found, words)
		case port.Port.StrVal != "":
			for _, number := range numbers(pod, port.Port.StrVal, protocol) {
				found = append(found, fmt.Sprintf("%s --dport %d", words, number))
			}
		case port.EndPort != nil:
			found = append(found, fmt.Sprintf("%s --dport %d:%d", words, port.Port.IntVal, *port.EndPort))
		default:
			found = append(found, fmt.Sprintf("%s --dport %d", words, port.Port.IntVal))
		}
	}
	return found
}

func numbers(pod *core.Pod, name string, protocol core.Protocol) []int32 {
	var found []int32
	if pod == nil {
		return nil
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			same := port.Protocol == protocol || port.Protocol == "" && protocol == core.ProtocolTCP
			if port.Name == name && same {
				found = append(found, port.ContainerPort)
			}
		}
	}
	return found
}

// blocks returns the ranges that are left of a block when its exceptions are taken away.
func blocks(block *networking.IPBlock) []netip.Prefix {
	whole, err := netip.ParsePrefix(block.CIDR)
	if err != nil || !whole.Addr().Is4() {
		return nil
	}
	var excepted []netip.Prefix
	for _, text := range block.Except {
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Addr().Is4() {
			excepted = append(excepted, prefix.Masked())
		}
	}
	return without(whole.Masked(), excepted)
}

func without(block netip.Prefix, excepted []netip.Prefix) []netip.Prefix {
	for _, except := range excepted {
		if !block.Overlaps(except) {
			continue
		}
		if except.Bits() <= block.Bits() {
			return nil
		}
		lower, upper := halves(block)
		return append(without(lower, excepted), without(upper, excepted)...)
	}
	return []netip.Prefix{block}
}

func halves(block netip.Prefix) (netip.Prefix, netip.Prefix) {
	bytes := block.Addr().As4()
	bytes[block.Bits()/8] |= 0x80 >> (block.Bits() % 8)
	return netip.PrefixFrom(block.Addr(), block.Bits()+1), netip.PrefixFrom(netip.AddrFrom4(bytes), block.Bits()+1)
}

func option(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

func words(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " ")
}
