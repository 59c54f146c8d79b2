package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// namespaceRetention is how long the history of a closed contact stays readable. The dev server's default is a day.
const namespaceRetention = 30 * 24 * time.Hour

// searchAttributes are what contacts' workflows are found by. deploy/temporal/namespace.sh makes the same six.
var searchAttributes = []struct {
	name string
	kind enumspb.IndexedValueType
}{
	{"CampaignId", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"ObjectId", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"CampaignStage", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"ContactStatus", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"AttentionReason", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"NextActionAt", enumspb.INDEXED_VALUE_TYPE_DATETIME},
}

// prepareNamespace gives an existing namespace our search attributes and retention. It may be called on every start.
func prepareNamespace(ctx context.Context, c client.Client, namespace string) error {
	described, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("describe namespace %s: %w", namespace, err)
	}
	if described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() != namespaceRetention {
		_, err := c.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
			Namespace: namespace,
			Config:    &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(namespaceRetention)},
		})
		if err != nil {
			return fmt.Errorf("set retention of namespace %s: %w", namespace, err)
		}
	}
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, a := range searchAttributes {
		if _, ok := known.GetCustomAttributes()[a.name]; !ok {
			missing[a.name] = a.kind
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	if exists := (*serviceerror.AlreadyExists)(nil); err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("add search attributes: %w", err)
	}
	return nil
}
