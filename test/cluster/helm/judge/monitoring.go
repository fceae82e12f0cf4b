package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/promql/parser"
)

// judgeMonitoring answers with one list of selectors an object, as PromQL prints them: those of its rules.
func judgeMonitoring(input io.Reader, output io.Writer) error {
	var objects []json.RawMessage
	if err := json.NewDecoder(input).Decode(&objects); err != nil {
		return err
	}
	selectors := make([][]string, 0, len(objects))
	for _, object := range objects {
		found, err := selectorsOf(object)
		if err != nil {
			return fmt.Errorf("%w in %s", err, object)
		}
		selectors = append(selectors, found)
	}
	return json.NewEncoder(output).Encode(selectors)
}

func selectorsOf(object json.RawMessage) ([]string, error) {
	found := []string{}
	var typed struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(object, &typed); err != nil {
		return nil, err
	}
	switch typed.Kind {
	case monitoring.ServiceMonitorsKind:
		return found, strict(object, &monitoring.ServiceMonitor{})
	case monitoring.PodMonitorsKind:
		return found, strict(object, &monitoring.PodMonitor{})
	}
	rules := monitoring.PrometheusRule{}
	if err := strict(object, &rules); err != nil {
		return nil, err
	}
	promql := parser.NewParser(parser.Options{})
	for _, group := range rules.Spec.Groups {
		for _, rule := range group.Rules {
			expression, err := promql.ParseExpr(rule.Expr.String())
			if err != nil {
				return nil, err
			}
			parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
				if selector, ok := node.(*parser.VectorSelector); ok {
					found = append(found, selector.String())
				}
				return nil
			})
		}
	}
	return found, nil
}

// strict decodes object into typed, and refuses a field that it does not know.
func strict(object json.RawMessage, typed any) error {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.DisallowUnknownFields()
	return decoder.Decode(typed)
}
