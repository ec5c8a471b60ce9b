package openapi

// Shorthands keep the schemas readable.
func text(description string) object { return object{"type": "string", "description": description} }

func stamp(description string) object {
	return object{"type": "string", "format": "date-time", "description": description}
}

func whole(least int, description string) object {
	return object{"type": "integer", "minimum": least, "description": description}
}

func truth(description string) object { return object{"type": "boolean", "description": description} }

func texts(description string) object {
	return object{"type": "array", "items": object{"type": "string"}, "description": description}
}

func textMap(description string) object {
	return object{"type": "object", "additionalProperties": object{"type": "string"}, "description": description}
}

func list(item string) object { return object{"type": "array", "items": ref(item)} }

func nullable(schema object) object { return object{"anyOf": []object{schema, {"type": "null"}}} }

// schema makes an object schema; the names after the properties are required.
func schema(properties object, required ...string) object {
	s := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

var schemas = object{
	"CreateSandboxRequest": schema(object{
		"image":           ref("Image"),
		"snapshotId":      text("Snapshot to restore from, instead of image."),
		"platform":        ref("Platform"),
		"timeout":         nullable(whole(60, "Seconds to live; absent or null = until deleted.")),
		"resourceLimits":  textMap("Limits such as cpu 500m, memory 512Mi, gpu 1; {} = none."),
		"env":             object{"type": "object", "additionalProperties": object{"type": []string{"string", "null"}}, "description": "Environment of the process; null values are dropped."},
		"metadata":        textMap("Labels of your own; keys and values follow the Kubernetes label syntax."),
		"entrypoint":      object{"type": "array", "minItems": 1, "items": object{"type": "string"}, "description": "Command to run; required with image."},
		"networkPolicy":   ref("NetworkPolicy"),
		"credentialProxy": schema(object{"enabled": truth("Needs a networkPolicy.")}),
		"secureAccess":    truth("Demand the OpenSandbox-Secure-Access header of the endpoint answers, or a signed route, on every way into the sandbox. Needs ingress.mode = \"gateway\"."),
		"volumes":         list("Volume"),
		"extensions":      textMap("Further wishes. access.renew.extend.seconds (300 to 86400): while the sandbox is used its expiry is moved to that long from now, where the server has renewal switched on. access.renew.max.seconds (60 to 31622400): such renewals end that long after the creation. access.idle.timeout.seconds (60 to 86400): the sandbox is removed when nobody used it for that long. Values are decimal numbers as strings."),
	}, "resourceLimits"),
	"Image": schema(object{
		"uri":  text("Image reference."),
		"auth": schema(object{"username": text("Registry user."), "password": text("Registry password; used once, never stored.")}, "username", "password"),
	}, "uri"),
	"Platform": schema(object{
		"os":   object{"type": "string", "enum": []string{"linux", "windows"}},
		"arch": object{"type": "string", "enum": []string{"amd64", "arm64"}},
	}, "os", "arch"),
	"NetworkPolicy": schema(object{
		"defaultAction": text("allow or deny."),
		"egress":        object{"type": "array", "items": schema(object{"action": text("allow or deny."), "target": text("Host, wildcard or network.")}, "action", "target")},
	}),
	"Volume": schema(object{
		"name":      text("Name, unique in the request."),
		"mountPath": text("Absolute path in the sandbox."),
		"readOnly":  truth("Mount without write access."),
		"subPath":   text("Relative path inside the volume."),
		"host":      schema(object{"path": text("Path on the host.")}, "path"),
		"pvc": schema(object{
			"claimName":                  text("Name of the claim, or of the engine's volume."),
			"createIfNotExists":          truth("Create it when missing; default true."),
			"deleteOnSandboxTermination": truth("Remove it with the sandbox."),
			"storageClass":               text("Storage class."),
			"storage":                    text("Size, such as 1Gi."),
			"accessModes":                texts("Access modes."),
		}, "claimName"),
		"ossfs": schema(object{
			"bucket": text("Bucket."), "endpoint": text("Service endpoint."), "version": text("1.0 or 2.0."),
			"options": texts("Mount options."), "accessKeyId": text("Access key."), "accessKeySecret": text("Access secret."),
		}, "bucket", "endpoint", "accessKeyId", "accessKeySecret"),
	}, "name", "mountPath"),
	"SandboxStatus": schema(object{
		"state":            text("Pending, Running, Pausing, Paused, Resuming, Stopping, Terminated, Failed; more may come."),
		"reason":           text("Machine-readable reason."),
		"message":          text("For people."),
		"lastTransitionAt": stamp("When the state was entered."),
	}, "state"),
	"CreateSandboxResponse": schema(object{
		"id": text("Sandbox id."), "status": ref("SandboxStatus"), "metadata": textMap("As requested."), "platform": ref("Platform"),
		"entrypoint": texts("As requested."), "expiresAt": stamp("Absent without a timeout."), "createdAt": stamp("When it was created."),
	}, "id", "status", "entrypoint", "createdAt"),
	"Sandbox": schema(object{
		"id": text("Sandbox id."), "image": schema(object{"uri": text("Image reference.")}, "uri"), "snapshotId": text("Snapshot it was restored from."),
		"platform": ref("Platform"), "status": ref("SandboxStatus"), "metadata": textMap("Absent when empty."),
		"entrypoint": texts("Command."), "expiresAt": stamp("Absent without a timeout."), "createdAt": stamp("When it was created."),
	}, "id", "status", "entrypoint", "createdAt"),
	"SandboxList": schema(object{"items": list("Sandbox"), "pagination": ref("Pagination")}, "items", "pagination"),
	"Pagination": schema(object{
		"page": whole(1, "This page."), "pageSize": whole(1, "Items per page."), "totalItems": whole(0, "Items on all pages."),
		"totalPages": whole(0, "Pages."), "hasNextPage": truth("Whether a page follows."),
	}, "page", "pageSize", "totalItems", "totalPages", "hasNextPage"),
	"MetadataPatch": object{"type": "object", "additionalProperties": object{"type": []string{"string", "null"}}},
	"RenewRequest":  schema(object{"expiresAt": stamp("New expiry; in the future.")}, "expiresAt"),
	"RenewResponse": schema(object{"expiresAt": stamp("Stored expiry, UTC.")}, "expiresAt"),
	"Endpoint": schema(object{
		"endpoint": text("host[:port][/path], without scheme."), "headers": textMap("Headers every request to it must carry."),
	}, "endpoint"),
	"CreateSnapshotRequest": schema(object{"name": nullable(object{"type": "string", "minLength": 1})}),
	"Snapshot": schema(object{
		"id": text("Snapshot id."), "sandboxId": text("Source sandbox."), "name": text("Name."), "status": ref("SandboxStatus"), "createdAt": stamp("When it was asked for."),
	}, "id", "sandboxId", "status", "createdAt"),
	"SnapshotList": schema(object{"items": list("Snapshot"), "pagination": ref("Pagination")}, "items", "pagination"),
	"Diagnostics": schema(object{
		"sandboxId": text("Sandbox id."), "kind": text("logs or events."), "scope": text("What was collected."), "delivery": text("inline or url."),
		"contentType": text("Type of the content."), "content": text("The text."), "contentLength": whole(0, "Bytes of the content."),
		"truncated": truth("Whether some is missing."), "warnings": texts("Gaps."),
	}, "sandboxId", "kind", "scope", "delivery", "contentType", "truncated"),
	"Capacity": schema(object{
		"bufferMax": whole(0, "Most members: started sandboxes that nobody has claimed."), "bufferMin": whole(0, "Fewest members."), "poolMax": whole(0, "Most members and claimed sandboxes together."), "poolMin": whole(0, "Fewest of both."),
	}, "bufferMax", "bufferMin", "poolMax", "poolMin"),
	"CreatePoolRequest": schema(object{"name": text("Pool name."), "template": object{"type": "object"}, "capacitySpec": ref("Capacity")}, "name", "template", "capacitySpec"),
	"UpdatePoolRequest": schema(object{"capacitySpec": ref("Capacity")}, "capacitySpec"),
	"Pool": schema(object{
		"name": text("Pool name."), "capacitySpec": ref("Capacity"), "createdAt": stamp("When it was created."),
		"status": schema(object{"total": whole(0, "Pods."), "allocated": whole(0, "In use."), "available": whole(0, "Idle."), "revision": text("Template revision.")}),
	}, "name", "capacitySpec"),
	"PoolList":  schema(object{"items": list("Pool")}, "items"),
	"Health":    schema(object{"status": object{"const": "healthy"}}, "status"),
	"Readiness": schema(object{"status": text("ready or not_ready."), "components": textMap("State per component.")}, "status"),
	"Document":  object{"type": "object", "description": "An OpenAPI document."},
	"Error":     schema(object{"code": text("Stable code."), "message": text("For people.")}, "code", "message"),
	"ValidationError": schema(object{
		"code": text("Stable code."), "message": text("All violations in one text."),
		"detail": object{"type": "array", "items": schema(object{
			"type": text("Kind of violation."), "loc": object{"type": "array", "items": object{"type": []string{"string", "integer"}}}, "msg": text("What is demanded."),
		}, "type", "loc", "msg")},
	}, "code", "message", "detail"),
}
