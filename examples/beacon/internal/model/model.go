// Package model holds the words that the service is about: Services with their addresses, and changes of them.
package model

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Schema is the version of what is written out. Readers refuse what they do not know.
const Schema = "beacon/v1"

// Name identifies a Service in its cluster.
type Name struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
}

func (n Name) String() string { return n.Namespace + "/" + n.Service }

// Port is one port of a Service.
type Port struct {
	Name     string `json:"name,omitempty"`
	Protocol string `json:"protocol"`
	Number   int32  `json:"number"`
}

// Address is where a Service answers, and whether it does.
type Address struct {
	IP    string `json:"ip"`
	Zone  string `json:"zone,omitempty"`
	Ready bool   `json:"ready"`
}

// Service is all that the inventory tells of one.
type Service struct {
	Name
	Type      string            `json:"type"`
	Hosts     []string          `json:"hosts,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Ports     []Port            `json:"ports,omitempty"`
	Addresses []Address         `json:"addresses,omitempty"`
}

// Normal gives the service with its lists in one order, so that equal services are equal bytes.
func (s Service) Normal() Service {
	s.Hosts = slices.Sorted(slices.Values(s.Hosts))
	s.Ports = slices.SortedFunc(slices.Values(s.Ports), func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
	s.Addresses = slices.SortedFunc(slices.Values(s.Addresses), func(a, b Address) int {
		return cmp.Compare(a.IP, b.IP)
	})
	return s
}

// Digest names the service by its content.
func (s Service) Digest() string {
	content, err := json.Marshal(s.Normal())
	if err != nil {
		panic(fmt.Sprintf("a service is plain data: %v", err))
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Snapshot is the whole inventory at one moment.
type Snapshot struct {
	Schema   string    `json:"schema"`
	Cluster  string    `json:"cluster"`
	Services []Service `json:"services"`
}

// Kind says what became of a service.
type Kind string

// Kinds of changes.
const (
	Added   Kind = "added"
	Changed Kind = "changed"
	Removed Kind = "removed"
)

// Change is one message.
type Change struct {
	Schema  string  `json:"schema"`
	Cluster string  `json:"cluster"`
	Kind    Kind    `json:"kind"`
	Service Service `json:"service"`
}
