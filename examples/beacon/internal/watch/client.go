package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"example.com/beacon/internal/config"
	"example.com/beacon/internal/tracing"
)

// Connect gives a client for the cluster of a kubeconfig, or for the one that this process runs in.
func Connect(kubeconfig string) (kubernetes.Interface, error) {
	settings, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	settings.Wrap(tracing.Transport)
	return kubernetes.NewForConfig(rest.AddUserAgent(settings, "beacon"))
}

// Lead runs work while this replica is the leader; to lead no more is an error, and the process starts anew. Without an identity it
// always leads.
func Lead(ctx context.Context, client kubernetes.Interface, settings config.Config, log *slog.Logger, work func(context.Context) error) error {
	if settings.Identity == "" {
		return work(ctx)
	}
	namespace := settings.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Name: "beacon", Namespace: namespace},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: settings.Identity},
	}
	// Work that ends gives the lease back at once.
	electing, cancel := context.WithCancel(ctx)
	defer cancel()
	led := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, ReleaseOnCancel: true, Name: "beacon",
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				log.Info("leading", "identity", settings.Identity)
				defer cancel()
				led <- work(ctx)
			},
			OnStoppedLeading: func() { log.Info("not leading", "identity", settings.Identity) },
		},
	})
	if err != nil {
		return fmt.Errorf("leader election: %w", err)
	}
	elector.Run(electing)
	if ctx.Err() != nil {
		return nil // It may have waited to the end, and then there is no work to wait for.
	}
	if err := <-led; err != nil {
		return err
	}
	return errors.New("the lease was lost to another replica")
}
