package config

import (
	"fmt"
	"strings"
)

// language is what generated comments are written in.
type language int

const (
	english language = iota
	chinese
)

var kindZH = map[Kind]string{
	Text: "字符串", Path: "路径", Integer: "整数", Number: "数字", Boolean: "布尔值", TextList: "字符串列表",
	PathList: "路径列表", PortList: "端口列表", TextMap: "字符串表", Secret: "机密字符串", SecretList: "机密字符串列表",
}

// bounds describes which values a key takes: "1 to 65535", "at least 1", "one of …"; "" = any.
func (k *Key) bounds(lang language) string {
	say := func(en, zh string, args ...any) string {
		if lang == chinese {
			return fmt.Sprintf(zh, args...)
		}
		return fmt.Sprintf(en, args...)
	}
	switch {
	case len(k.Enum) > 0:
		quoted := make([]string, len(k.Enum))
		for i, e := range k.Enum {
			quoted[i] = quote(e)
		}
		return say("one of %s", "可选值 %s", strings.Join(quoted, ", "))
	case k.Min != nil && k.Max != nil:
		return say("%d to %d", "%d 到 %d", *k.Min, *k.Max)
	case k.Min != nil:
		return say("at least %d", "不小于 %d", *k.Min)
	case k.Max != nil:
		return say("at most %d", "不大于 %d", *k.Max)
	case k.Above != nil:
		return say("greater than %d", "大于 %d", *k.Above)
	}
	return ""
}

// facts is type, bounds and default in one line.
func (k *Key) facts(lang language) string {
	kind := string(k.Kind)
	if lang == chinese {
		kind = kindZH[k.Kind]
	}
	parts := []string{kind}
	if b := k.bounds(lang); b != "" {
		parts = append(parts, b)
	}
	switch value := defaultLiteral(k); {
	case k.Required && lang == chinese:
		parts = append(parts, "必填")
	case k.Required:
		parts = append(parts, "required")
	case value != "" && lang == chinese:
		parts = append(parts, "默认 "+value)
	case value != "":
		parts = append(parts, "default "+value)
	case lang == chinese:
		parts = append(parts, "默认不设置")
	default:
		parts = append(parts, "absent by default: "+k.Absent)
	}
	if lang == chinese {
		return strings.Join(parts, "；")
	}
	return strings.Join(parts, "; ")
}

// commented writes doc and facts of a key as comment lines.
func (k *Key) commented(b *strings.Builder, lang language) {
	if lang == chinese {
		comment(b, k.ZH+"（"+k.facts(lang)+"）")
		return
	}
	comment(b, k.Doc+" ("+k.facts(lang)+")")
}
