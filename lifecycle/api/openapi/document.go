package openapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Title and Version head the document (contract 01 §15).
const (
	Title   = "OpenSandbox Lifecycle API"
	Version = "0.1.0"
)

// object is a JSON object under construction.
type object = map[string]any

// Operation describes one route.
type Operation struct {
	Method      string // "GET"
	Path        string // without mount prefix: "/sandboxes/{sandboxId}"
	ID          string
	Tag         string
	Summary     string
	Description string
	Query       []Parameter
	Body        string // schema name of the request body; "" = none
	Optional    bool   // the body may be left out
	Patch       bool   // the body may also be application/merge-patch+json
	Success     int
	Answer      string // schema name of the success body; "" = empty; or a media type of text
	Plain       bool   // the answer may also be plain text
	Headers     []Parameter
	Errors      []int
	Root        bool // served at the root alone, not under /v1
	Public      bool // needs no key; implies Root
}

// Parameter describes one query parameter.
type Parameter struct {
	Name        string
	Description string
	Schema      map[string]any
}

// Operations returns every operation of the API, in the order of the document.
func Operations() []Operation {
	var all []Operation
	for _, group := range [][]Operation{sandboxes, snapshots, diagnostics, pools, service} {
		all = append(all, group...)
	}
	return all
}

// JSON renders the document. It fails only on a defect of this package.
func JSON() ([]byte, error) {
	paths := object{}
	for _, o := range Operations() {
		mounts := []string{"", "/v1"}
		if o.Root || o.Public {
			mounts = mounts[:1]
		}
		for _, mount := range mounts {
			item, ok := paths[mount+o.Path].(object)
			if !ok {
				item = object{}
				paths[mount+o.Path] = item
			}
			item[strings.ToLower(o.Method)] = o.render(mount)
		}
	}
	doc, err := json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": Title, "version": Version,
			"description": "Create, find, renew, pause and end sandboxes, and learn how to reach them.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []object{{"url": "/"}},
		"security": []object{{"apiKey": []string{}}},
		"tags": []object{
			{"name": "Sandboxes"}, {"name": "Snapshots"}, {"name": "Diagnostics"}, {"name": "Pools"}, {"name": "Service"},
		},
		"paths": paths,
		"components": object{
			"securitySchemes": object{"apiKey": object{"type": "apiKey", "in": "header", "name": wire.DisplayAPIKey}},
			"schemas":         schemas,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("rendering the OpenAPI document: %w", err)
	}
	return doc, nil
}

func (o Operation) render(mount string) object {
	id := o.ID
	if mount != "" {
		id += "V1" // operation ids are unique in a document
	}
	out := object{"operationId": id, "tags": []string{o.Tag}, "summary": o.Summary, "responses": o.responses()}
	if o.Description != "" {
		out["description"] = o.Description
	}
	if o.Public {
		out["security"] = []object{}
	}
	if parameters := o.parameters(); len(parameters) > 0 {
		out["parameters"] = parameters
	}
	if o.Body != "" {
		content := object{"application/json": object{"schema": ref(o.Body)}}
		if o.Patch {
			content["application/merge-patch+json"] = object{"schema": ref(o.Body)}
		}
		out["requestBody"] = object{"required": !o.Optional, "content": content}
	}
	return out
}

func (o Operation) parameters() []object {
	var out []object
	for _, segment := range strings.Split(o.Path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			schema := object{"type": "string"}
			if name == "port" {
				schema = object{"type": "integer", "minimum": 1, "maximum": 65535}
			}
			out = append(out, object{"name": name, "in": "path", "required": true, "schema": schema})
		}
	}
	for _, q := range o.Query {
		out = append(out, object{"name": q.Name, "in": "query", "description": q.Description, "schema": q.Schema})
	}
	for _, h := range o.Headers {
		out = append(out, object{"name": h.Name, "in": "header", "description": h.Description, "schema": h.Schema})
	}
	return out
}

func (o Operation) responses() object {
	success := object{"description": "Success."}
	text := object{"schema": object{"type": "string"}}
	switch {
	case o.Answer == "":
	case strings.HasPrefix(o.Answer, "text/"):
		success["content"] = object{o.Answer: text}
	case o.Plain:
		success["content"] = object{"application/json": object{"schema": ref(o.Answer)}, "text/plain": text}
	default:
		success["content"] = object{"application/json": object{"schema": ref(o.Answer)}}
	}
	out := object{strconv.Itoa(o.Success): success}
	statuses := o.Errors
	if !o.Public {
		statuses = append([]int{401, 500, 503}, statuses...)
	}
	for _, status := range statuses {
		schema := "Error"
		if status == 422 {
			schema = "ValidationError"
		}
		out[strconv.Itoa(status)] = object{
			"description": meaning[status],
			"content":     object{"application/json": object{"schema": ref(schema)}},
		}
	}
	return out
}

var meaning = map[int]string{
	400: "The request breaks a rule; the message names it.",
	401: "The API key is missing or wrong.",
	404: "There is no such object.",
	409: "The object is not in a state that allows this.",
	413: "The body is too large.",
	422: "The request is malformed; every violation is listed.",
	500: "The server or its container runtime failed.",
	501: "The configured runtime does not have this feature.",
	503: "The server is overloaded or not ready; try again after Retry-After seconds.",
}

func ref(schema string) object { return object{"$ref": "#/components/schemas/" + schema} }
