package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"
)

// ImportInput starts the processing of a stored upload.
type ImportInput struct {
	ImportID string `json:"import_id"`
	Chunks   int    `json:"chunks"`
	Next     int    `json:"next,omitempty"` // the first chunk not yet done
}

// Import processes an upload chunk by chunk in file order, then waits for the
// rows that went to workflows and closes the books. A chunk that is repeated
// finds its own mark.
func Import(ctx workflow.Context, in ImportInput) error {
	for n := in.Next; n < in.Chunks; n++ {
		if _, err := ImportChunk.call(ctx, officeWork(fmt.Sprintf("chunk %d of %d", n+1, in.Chunks)), ImportChunkInput{ImportID: in.ImportID, Chunk: n}); err != nil {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			in.Next = n + 1
			return workflow.NewContinueAsNewError(ctx, TypeImport, in)
		}
	}
	_, err := FinishImport.call(ctx, officeWork("wait for rows that are with their contacts, and finish"), FinishImportInput{ImportID: in.ImportID})
	return err
}
