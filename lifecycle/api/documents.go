package api

import (
	"net/http"
	"sync"

	"github.com/opensandbox-edge/edge/lifecycle/api/docs"
	"github.com/opensandbox-edge/edge/lifecycle/api/openapi"
)

// documents are the routes of the OpenAPI document and the pages that show it. They
// are the same for every handler and every reload, so they are made once.
var documents = sync.OnceValues(makeDocuments)

func makeDocuments() ([]endpoint, error) {
	document, err := openapi.JSON()
	if err != nil {
		return nil, err
	}
	files, err := docs.Files()
	if err != nil {
		return nil, err
	}
	rows := pageRows("/openapi.json", docs.NewFile("application/json", document))
	for path, file := range files {
		rows = append(rows, pageRows(path, file)...)
	}
	return rows, nil
}

func pageRows(path string, file *docs.File) []endpoint {
	serve := func(w http.ResponseWriter, r *request) error {
		file.ServeHTTP(w, r.Request)
		return nil
	}
	return []endpoint{{http.MethodGet, path, public, serve}, {http.MethodHead, path, public, serve}}
}
