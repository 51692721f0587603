// Package watch keeps the inventory as the cluster is: Services joined with their EndpointSlices.
package watch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"example.com/beacon/internal/config"
	"example.com/beacon/internal/inventory"
	"example.com/beacon/internal/model"
)

// resync looks at everything again, should an event have been lost.
const resync = 10 * time.Minute

// Watcher brings the cluster's Services into an inventory.
type Watcher struct {
	factories []informers.SharedInformerFactory
	services  corelisters.ServiceLister
	slices    discoverylisters.EndpointSliceLister
	queue     workqueue.TypedRateLimitingInterface[model.Name]
	known     *inventory.Inventory
	log       *slog.Logger
}

// New makes a watcher; nothing is asked for before Run.
func New(client kubernetes.Interface, settings config.Config, known *inventory.Inventory, log *slog.Logger) *Watcher {
	selected := func(options *metav1.ListOptions) { options.LabelSelector = settings.Selector }
	// The selector is about Services; slices have labels of their own.
	ofServices := informers.NewSharedInformerFactoryWithOptions(client, resync,
		informers.WithNamespace(settings.Namespace), informers.WithTweakListOptions(selected))
	ofSlices := informers.NewSharedInformerFactoryWithOptions(client, resync, informers.WithNamespace(settings.Namespace))
	services, slices := ofServices.Core().V1().Services(), ofSlices.Discovery().V1().EndpointSlices()
	w := &Watcher{
		factories: []informers.SharedInformerFactory{ofServices, ofSlices},
		services:  services.Lister(),
		slices:    slices.Lister(),
		queue:     workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[model.Name]()),
		known:     known,
		log:       log,
	}
	w.listen(services.Informer(), func(object metav1.Object) string { return object.GetName() })
	w.listen(slices.Informer(), func(object metav1.Object) string { return object.GetLabels()[discovery.LabelServiceName] })
	return w
}

func (w *Watcher) listen(informer cache.SharedIndexInformer, service func(metav1.Object) string) {
	add := func(object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		if object, ok := object.(metav1.Object); ok && service(object) != "" {
			w.queue.Add(model.Name{Namespace: object.GetNamespace(), Service: service(object)})
		}
	}
	// The only error is that the informer has stopped, and this one has not been started.
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, DeleteFunc: add, UpdateFunc: func(_, object any) { add(object) },
	})
}

// Run watches until the context is done.
func (w *Watcher) Run(ctx context.Context) error {
	defer w.queue.ShutDown()
	for _, factory := range w.factories {
		factory.Start(ctx.Done())
		defer factory.Shutdown()
	}
	for _, factory := range w.factories {
		for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
			if !synced && ctx.Err() == nil {
				return errors.New("the cluster does not list " + kind.String())
			}
		}
	}
	if err := w.putAll(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, w.queue.ShutDown)
	defer stop()
	for w.next() {
	}
	return nil
}

// putAll brings in what is there, so that the first snapshot is whole.
func (w *Watcher) putAll() error {
	services, err := w.services.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, service := range services {
		if err := w.sync(model.Name{Namespace: service.Namespace, Service: service.Name}); err != nil {
			return err
		}
	}
	w.known.Synced()
	w.log.Info("synced", "services", len(services))
	return nil
}

func (w *Watcher) next() bool {
	name, done := w.queue.Get()
	if done {
		return false
	}
	defer w.queue.Done(name)
	if err := w.sync(name); err != nil {
		w.log.Error("not read", "service", name.String(), "error", err)
		w.queue.AddRateLimited(name)
		return true
	}
	w.queue.Forget(name)
	return true
}

func (w *Watcher) sync(name model.Name) error {
	service, err := w.services.Services(name.Namespace).Get(name.Service)
	if apierrors.IsNotFound(err) {
		w.known.Remove(name)
		return nil
	}
	if err != nil {
		return err
	}
	of := labels.SelectorFromSet(labels.Set{discovery.LabelServiceName: name.Service})
	slices, err := w.slices.EndpointSlices(name.Namespace).List(of)
	if err != nil {
		return err
	}
	w.known.Put(describe(service, slices))
	return nil
}

func describe(service *core.Service, slices []*discovery.EndpointSlice) model.Service {
	described := model.Service{
		Name:   model.Name{Namespace: service.Namespace, Service: service.Name},
		Type:   string(service.Spec.Type),
		Labels: service.Labels,
	}
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		if host := ingress.Hostname + ingress.IP; host != "" {
			described.Hosts = append(described.Hosts, host)
		}
	}
	for _, port := range service.Spec.Ports {
		described.Ports = append(described.Ports, model.Port{Name: port.Name, Protocol: string(port.Protocol), Number: port.Port})
	}
	seen := map[string]int{}
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			for _, ip := range endpoint.Addresses {
				address := model.Address{IP: ip, Ready: endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready}
				if endpoint.Zone != nil {
					address.Zone = *endpoint.Zone
				}
				// While slices are rearranged an address may be in two of them.
				if index, there := seen[ip]; there {
					described.Addresses[index].Ready = described.Addresses[index].Ready || address.Ready
					continue
				}
				seen[ip] = len(described.Addresses)
				described.Addresses = append(described.Addresses, address)
			}
		}
	}
	return described
}
