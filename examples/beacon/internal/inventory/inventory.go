// Package inventory is the state of the service: which Services there are, and what changed since that was last written.
package inventory

import (
	"cmp"
	"slices"
	"sync"

	"example.com/beacon/internal/model"
)

// Inventory may be used by several goroutines.
type Inventory struct {
	cluster string
	wake    chan struct{}

	mu       sync.Mutex
	synced   bool
	services map[model.Name]model.Service
	written  map[model.Name]model.Service
}

// New gives an empty inventory of a cluster.
func New(cluster string) *Inventory {
	return &Inventory{
		cluster:  cluster,
		wake:     make(chan struct{}, 1),
		services: map[model.Name]model.Service{},
		written:  map[model.Name]model.Service{},
	}
}

// Put adds a service or replaces it.
func (i *Inventory) Put(service model.Service) {
	i.update(func() { i.services[service.Name] = service.Normal() })
}

// Remove forgets a service.
func (i *Inventory) Remove(name model.Name) {
	i.update(func() { delete(i.services, name) })
}

// Synced says that all services that there were at the start have been put. Before, nothing is known to be removed.
func (i *Inventory) Synced() {
	i.update(func() { i.synced = true })
}

// Ready tells whether the inventory is whole.
func (i *Inventory) Ready() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.synced
}

// Len is the number of services.
func (i *Inventory) Len() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.services)
}

// Wake receives after changes.
func (i *Inventory) Wake() <-chan struct{} { return i.wake }

func (i *Inventory) update(change func()) {
	i.mu.Lock()
	change()
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// Pending gives the inventory and what changed since it was last written, each service once. There is nothing to write while the
// inventory is not whole.
func (i *Inventory) Pending() (model.Snapshot, []model.Change) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.synced {
		return model.Snapshot{}, nil
	}
	snapshot := model.Snapshot{Schema: model.Schema, Cluster: i.cluster, Services: []model.Service{}}
	var changes []model.Change
	add := func(kind model.Kind, service model.Service) {
		changes = append(changes, model.Change{Schema: model.Schema, Cluster: i.cluster, Kind: kind, Service: service})
	}
	for _, service := range sorted(i.services) {
		snapshot.Services = append(snapshot.Services, service)
		before, known := i.written[service.Name]
		switch {
		case !known:
			add(model.Added, service)
		case before.Digest() != service.Digest():
			add(model.Changed, service)
		}
	}
	for _, service := range sorted(i.written) {
		if _, there := i.services[service.Name]; !there {
			add(model.Removed, service)
		}
	}
	return snapshot, changes
}

// Written says that a snapshot was written out.
func (i *Inventory) Written(snapshot model.Snapshot) {
	written := make(map[model.Name]model.Service, len(snapshot.Services))
	for _, service := range snapshot.Services {
		written[service.Name] = service
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.written = written
}

func sorted(services map[model.Name]model.Service) []model.Service {
	list := make([]model.Service, 0, len(services))
	for _, service := range services {
		list = append(list, service)
	}
	slices.SortFunc(list, func(a, b model.Service) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name.Service, b.Name.Service))
	})
	return list
}
