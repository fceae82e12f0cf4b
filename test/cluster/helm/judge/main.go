// judge tells what tools of others make of our objects. It reads JSON from standard input and writes JSON:
//
//	judge health       {"lua": SCRIPT, "objects": [...]} -> for each object, the health that Argo CD and Flux see
//	judge monitoring   [...] of the Prometheus Operator  -> what is wrong with each, and the metrics of its rules
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	judges := map[string]func(io.Reader, io.Writer) error{"health": judgeHealth, "monitoring": judgeMonitoring}
	judge, known := judges[os.Args[len(os.Args)-1]]
	if !known {
		fmt.Fprintln(os.Stderr, "usage: judge health|monitoring")
		os.Exit(2)
	}
	if err := judge(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
