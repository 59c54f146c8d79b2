package strategies

import (
	"archive/zip"
	"embed"
	"fmt"
	"io"
	"io/fs"
)

//go:embed stubs/*.pyi stubs/campaigns/*
var stubFiles embed.FS

// WriteStubs writes a zip of type stubs: unpacked beside a strategy, they let an editor complete and check it.
func WriteStubs(w io.Writer) error {
	root, err := fs.Sub(stubFiles, "stubs")
	if err != nil {
		return fmt.Errorf("write stubs: %w", err)
	}
	z := zip.NewWriter(w)
	if err := z.AddFS(root); err != nil {
		return fmt.Errorf("write stubs: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write stubs: %w", err)
	}
	return nil
}
