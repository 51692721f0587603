package publish

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"example.com/beacon/internal/config"
	"example.com/beacon/internal/tracing"
)

// Cloud is what the publisher needs of one.
type Cloud interface {
	Write(ctx context.Context, content []byte) error
	// Send takes at most ten messages, and gives the indexes of those that were refused.
	Send(ctx context.Context, messages [][]byte) ([]int, error)
}

type amazon struct {
	objects  *s3.Client
	queues   *sqs.Client
	settings config.Config
}

// Connect finds credentials as every AWS SDK does: environment, shared files, web identity, instance.
func Connect(ctx context.Context, settings config.Config) (Cloud, error) {
	var options []func(*awsconfig.LoadOptions) error
	options = append(options, awsconfig.WithHTTPClient(&http.Client{Transport: tracing.Transport(http.DefaultTransport)}))
	if settings.Region != "" {
		options = append(options, awsconfig.WithRegion(settings.Region))
	}
	if settings.Endpoint != "" {
		options = append(options, awsconfig.WithBaseEndpoint(settings.Endpoint))
	}
	loaded, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("AWS: %w", err)
	}
	// An endpoint for tests has no name for each bucket.
	byPath := func(o *s3.Options) { o.UsePathStyle = settings.Endpoint != "" }
	return &amazon{objects: s3.NewFromConfig(loaded, byPath), queues: sqs.NewFromConfig(loaded), settings: settings}, nil
}

func (a *amazon) Write(ctx context.Context, content []byte) error {
	_, err := a.objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket:          &a.settings.Bucket,
		Key:             &a.settings.Object,
		Body:            bytes.NewReader(content),
		ContentType:     aws.String("application/json"),
		ContentEncoding: aws.String("zstd"),
	})
	if err != nil {
		return fmt.Errorf("s3://%s/%s: %w", a.settings.Bucket, a.settings.Object, err)
	}
	return nil
}

func (a *amazon) Send(ctx context.Context, messages [][]byte) ([]int, error) {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	for i, message := range messages {
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(string(message))}
	}
	answer, err := a.queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &a.settings.Queue, Entries: entries})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.settings.Queue, err)
	}
	refused := make([]int, 0, len(answer.Failed))
	for _, entry := range answer.Failed {
		var index int
		if _, err := fmt.Sscan(aws.ToString(entry.Id), &index); err != nil {
			return nil, fmt.Errorf("%s: answer names the entry %q", a.settings.Queue, aws.ToString(entry.Id))
		}
		refused = append(refused, index)
	}
	return refused, nil
}
