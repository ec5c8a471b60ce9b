package decode

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Time reads a timestamp as ParseTime does, or Unix seconds or milliseconds as a number.
func (f Field) Time() (time.Time, bool) {
	if f.value == nil || f.value.kind == Null && !f.required {
		return time.Time{}, false
	}
	if f.value.kind == String || f.value.kind == Number {
		if at, ok := ParseTime(f.value.text); ok {
			return at, true
		}
	}
	f.Fail("datetime_parsing", "must be an RFC 3339 timestamp, such as 2030-01-31T12:00:00Z")
	return time.Time{}, false
}

// The date and time of day are matched here rather than by time.Parse, which knows
// neither optional seconds nor optional zones.
var timeText = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(\.\d{1,9})?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?)?$`)

var unixText = regexp.MustCompile(`^[+-]?\d{1,16}(\.\d{1,9})?([eE]\+?\d{1,2})?$`)

// milliseconds is where a bare number stops being Unix seconds: the year 2603.
const milliseconds = 2e10

// ParseTime reads RFC 3339 with the liberties clients take (contract 01 §9.3): 0–9
// fractional digits, no seconds, a space for the T, no zone (UTC), a date alone
// (midnight UTC), Unix seconds or milliseconds. The result is in UTC.
func ParseTime(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if unixText.MatchString(text) {
		return unixTime(text)
	}
	part := timeText.FindStringSubmatch(text)
	if part == nil {
		return time.Time{}, false
	}
	day, clock, seconds, fraction, zone := part[1], part[2], part[3], part[4], strings.ToUpper(part[5])
	if clock == "" {
		clock = "00:00"
	}
	if seconds == "" {
		if fraction != "" {
			return time.Time{}, false
		}
		seconds = ":00"
	}
	switch {
	case zone == "":
		zone = "Z"
	case len(zone) == len("+hh"):
		zone += ":00"
	case len(zone) == len("+hhmm"):
		zone = zone[:3] + ":" + zone[3:]
	}
	at, err := time.Parse(time.RFC3339Nano, day+"T"+clock+seconds+fraction+zone)
	return at.UTC(), err == nil && inCalendar(at)
}

func unixTime(text string) (time.Time, bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, false
	}
	if math.Abs(v) > milliseconds {
		v /= 1000
	}
	if math.Abs(v) > 1e12 { // far outside the calendar, and safe to convert below
		return time.Time{}, false
	}
	whole, fraction := math.Modf(v)
	at := time.Unix(int64(whole), int64(fraction*1e9)).UTC()
	return at.Round(time.Microsecond), inCalendar(at)
}

// inCalendar keeps to the years that RFC 3339 can write.
func inCalendar(at time.Time) bool { return at.UTC().Year() >= 1 && at.UTC().Year() <= 9999 }
