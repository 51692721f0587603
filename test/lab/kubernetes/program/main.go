// program is what the lab's pods run: a server whose behaviour is set by its environment, the ways in which programs fail, and the
// load generator that counts what a rollout costs. The first argument is the mode; default: serve.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

var modes = map[string]func(arguments []string){
	"serve": serve,
	"crash": crash,
	"oom":   oom,
	"hang":  hang,
	"exit":  func(arguments []string) { os.Exit(number(arguments[0])) },
	"get":   get,
	"load":  load,
}

func main() {
	mode, rest := "serve", []string(nil)
	if len(os.Args) > 1 {
		mode, rest = os.Args[1], os.Args[2:]
	}
	run, known := modes[mode]
	if !known {
		fmt.Fprintf(os.Stderr, "no such mode: %s\n", mode)
		os.Exit(2)
	}
	run(rest)
}

// crash ends as a server does that lacks its database: CRASH_AFTER_MS (200) after the start, with EXIT_CODE (3).
func crash([]string) {
	fmt.Println("starting", os.Getenv("VERSION"))
	time.Sleep(milliseconds("CRASH_AFTER_MS", 200))
	fmt.Fprintln(os.Stderr, "panic: cannot reach database: dial tcp 127.0.0.1:5432: connect: connection refused")
	os.Exit(integer("EXIT_CODE", 3))
}

// oom takes OOM_MB (512) in a second or so, and touches all of it.
func oom([]string) {
	fmt.Println("allocating", integer("OOM_MB", 512), "MB")
	var kept [][]byte
	for range integer("OOM_MB", 512) {
		block := make([]byte, 1<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		kept = append(kept, block)
		time.Sleep(2 * time.Millisecond)
	}
	fmt.Println("kept", len(kept), "MB")
	hang(nil)
}

// hang does nothing until it is told to end: the sandbox of a pod, or an init container that is stuck.
func hang([]string) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}

// get URL prints an answer. It ends with 1 where that is none of 200, and with 7, as curl does, where there is none.
func get(arguments []string) {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(arguments[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(7)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(os.Stdout, answer.Body)
	if answer.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, answer.Status)
		os.Exit(1)
	}
}

func integer(variable string, otherwise int) int {
	if value := os.Getenv(variable); value != "" {
		return number(value)
	}
	return otherwise
}

func milliseconds(variable string, otherwise int) time.Duration {
	return time.Duration(integer(variable, otherwise)) * time.Millisecond
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return value
}
