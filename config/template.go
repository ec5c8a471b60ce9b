package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/secret"
)

// Example renders an example file: every key of the template's runtime, explained;
// those with an example value active, the others commented out with their default.
// A key that is not empty becomes the active server.api_key.
func Example(t Template, key secret.Text) ([]byte, error) { return example(t, key, "") }

// example is Example with the path of the BatchSandbox template that is written along
// with a file; "" leaves a sample there.
func example(t Template, key secret.Text, batchSandbox string) ([]byte, error) {
	if !slices.Contains(Templates(), t) {
		return nil, fmt.Errorf("unknown example %q", t)
	}
	r := renderer{template: t, key: key, batchSandbox: batchSandbox, runtime: RuntimeDocker}
	if t == Kubernetes || t == K8sZH {
		r.runtime = RuntimeKubernetes
	}
	if t == DockerZH || t == K8sZH {
		r.lang = chinese
	}
	r.heading()
	for i := range sections {
		s := &sections[i]
		if s.Only == "" || s.Only == r.runtime {
			r.section(s)
		}
	}
	return []byte(r.b.String()), nil
}

type renderer struct {
	b        strings.Builder
	template Template
	runtime  string
	lang     language
	key      secret.Text

	batchSandbox string // path of the template written beside the file
}

func (r *renderer) heading() {
	if r.lang == chinese {
		comment(&r.b, "OpenSandbox Edge 配置文件（"+r.runtime+" 运行时），由 opensandbox-server init-config --example "+string(r.template)+" 生成。")
		comment(&r.b, "每个配置项都有说明；被注释的行给出默认值或示例。检查配置：opensandbox-server check-config <路径>，安全检查加 --security。")
		return
	}
	comment(&r.b, "OpenSandbox Edge, "+r.runtime+" runtime. Written by: opensandbox-server init-config --example "+string(r.template))
	comment(&r.b, "Every key is explained; lines that are commented out show its default or a sample. Check your changes with: opensandbox-server check-config PATH (and --security).")
}

func (r *renderer) section(s *Section) {
	r.b.WriteString("\n")
	doc := s.Doc
	if r.lang == chinese {
		doc = s.ZH
	}
	comment(&r.b, doc)
	prefix, lead := "", ""
	if s.Chosen {
		lead = "# "
	}
	switch {
	case s.Dotted:
		_, last := cutLast(s.Name)
		prefix = last + "."
	case s.Array:
		r.b.WriteString(lead + "[[" + s.Name + "]]\n")
	default:
		r.b.WriteString(lead + "[" + s.Name + "]\n")
	}
	for i := range s.Keys {
		k := &s.Keys[i]
		r.b.WriteString("\n")
		k.commented(&r.b, r.lang)
		r.b.WriteString(r.line(s, k, prefix) + "\n")
	}
}

// line is the key with its value, active or commented out.
func (r *renderer) line(s *Section, k *Key, prefix string) string {
	if s.Name == "server" && k.Name == "api_key" && !r.key.IsZero() {
		return k.Name + " = " + quote(r.key.Reveal())
	}
	if s.Name == "kubernetes" && k.Name == "batchsandbox_template_file" && r.batchSandbox != "" {
		return prefix + k.Name + " = " + quote(r.batchSandbox)
	}
	if value, active := k.Example[r.template]; active {
		return prefix + k.Name + " = " + value
	}
	value := defaultLiteral(k)
	if value == "" {
		value = k.Sample
	}
	return "# " + prefix + k.Name + " = " + value
}

// skeletonLine is the fixed first line of the form without defaults (contract 07 §6.2).
const skeletonLine = "# Generated from OpenSandbox config schema. Remove sections you do not use.\n"

// Skeleton renders the schema alone: every key of every section with its explanation
// and no value. Only [runtime] is active, so that filling in two lines gives a file
// that loads. A key that is not empty becomes the active server.api_key.
func Skeleton(key secret.Text) []byte {
	var b strings.Builder
	b.WriteString(skeletonLine)
	for i := range sections {
		s := &sections[i]
		withKey := s.Name == "server" && !key.IsZero()
		b.WriteString("\n")
		comment(&b, s.Doc)
		prefix, lead := "", "# "
		if s.Name == "runtime" || withKey {
			lead = ""
		}
		switch {
		case s.Dotted:
			_, last := cutLast(s.Name)
			prefix = last + "."
		case s.Array:
			b.WriteString(lead + "[[" + s.Name + "]]\n")
		default:
			b.WriteString(lead + "[" + s.Name + "]\n")
		}
		for j := range s.Keys {
			k := &s.Keys[j]
			if j > 0 || s.Dotted {
				b.WriteString("\n")
			}
			k.commented(&b, english)
			switch {
			case withKey && k.Name == "api_key":
				b.WriteString(k.Name + " = " + quote(key.Reveal()) + "\n")
			case s.Name == "runtime":
				b.WriteString(k.Name + " = \"\"\n")
			default:
				b.WriteString("# " + prefix + k.Name + " = \n")
			}
		}
	}
	return []byte(b.String())
}
