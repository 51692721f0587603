// The oracle answers what BuildKit itself makes of a Dockerfile: one JSON question a line in, one JSON answer a line out. It runs
// BuildKit's own frontend code; only the registry is replaced, by the configurations that a question brings along.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
)

type question struct {
	Op            string
	Dockerfile    string
	Target        string
	Platform      string
	BuildPlatform string
	BuildArgs     map[string]string
	Labels        map[string]string
	Images        map[string]json.RawMessage
	Word          string
	Env           map[string]string
	Escape        string
	RawQuotes     bool
	RawEscapes    bool
	IgnoreQuotes  bool
	KeepUnset     bool
	Text          string
	Patterns      []string
	Paths         []string
	Pattern       string
}

type answer map[string]any

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var q question
			if err := json.Unmarshal(line, &q); err != nil {
				panic(err)
			}
			out.Encode(reply(q))
		}
		if err != nil {
			return
		}
	}
}

func reply(q question) (given answer) {
	defer func() {
		if fault := recover(); fault != nil {
			given = answer{"panic": fmt.Sprint(fault)}
		}
	}()
	result, err := dispatch(q)
	if err != nil {
		return answer{"error": err.Error()}
	}
	return result
}

func dispatch(q question) (answer, error) {
	switch q.Op {
	case "parse":
		return parse(q)
	case "expand":
		return expand(q)
	case "resolve":
		return resolve(q)
	case "ignore":
		return ignore(q)
	case "walk":
		return walk(q)
	case "glob":
		return glob(q)
	case "lint":
		return lint(q)
	}
	return nil, errors.New("unknown question " + q.Op)
}

// parse gives the instructions as the parser splits them; what the instructions package refuses is an error too.
func parse(q question) (answer, error) {
	result, err := parser.Parse(strings.NewReader(q.Dockerfile))
	if err != nil {
		return nil, err
	}
	var nodes []answer
	for _, node := range result.AST.Children {
		args := []string{}
		for n := node.Next; n != nil; n = n.Next {
			if len(n.Children) == 0 {
				args = append(args, n.Value)
			}
		}
		nodes = append(nodes, answer{
			"word": node.Value, "original": node.Original, "flags": node.Flags, "start": node.StartLine,
			"end": node.EndLine, "heredocs": node.Heredocs, "json": node.Attributes["json"], "args": args,
			"comments": node.PrevComment,
		})
	}
	if _, _, err := instructions.Parse(result.AST, linter.New(&linter.Config{})); err != nil {
		return nil, err
	}
	check, _, _, _ := parser.ParseDirective("check", []byte(q.Dockerfile))
	syntax, _, _, _ := parser.DetectSyntax([]byte(q.Dockerfile))
	return answer{
		"nodes": nodes, "escape": string(result.EscapeToken), "warnings": len(result.Warnings),
		"check": check, "syntax": syntax,
	}, nil
}

type env map[string]string

func (e env) Get(name string) (string, bool) {
	value, ok := e[name]
	return value, ok
}

func (e env) Keys() []string {
	var keys []string
	for key := range e {
		keys = append(keys, key)
	}
	return keys
}

func expand(q question) (answer, error) {
	lex := shell.NewLex([]rune(q.Escape)[0])
	lex.RawQuotes, lex.RawEscapes, lex.SkipProcessQuotes, lex.SkipUnsetEnv = q.RawQuotes, q.RawEscapes, q.IgnoreQuotes, q.KeepUnset
	one, err := lex.ProcessWordWithMatches(q.Word, env(q.Env))
	if err != nil {
		return nil, err
	}
	words, err := lex.ProcessWords(q.Word, env(q.Env))
	if err != nil {
		return nil, err
	}
	return answer{"word": one.Result, "words": words, "used": sortedKeys(one.Matched), "missing": sortedKeys(one.Unmatched)}, nil
}

func sortedKeys(set map[string]struct{}) []string {
	keys := []string{}
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// images stands for every registry; the one named * answers for those that are not listed.
type images map[string]json.RawMessage

func (i images) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config, ok := i[ref]
	if !ok {
		config, ok = i["*"]
	}
	if !ok {
		return "", "", nil, errors.New("no such image: " + ref)
	}
	return ref, "", config, nil
}

func options(q question) dockerfile2llb.ConvertOpt {
	target := platforms.Normalize(platforms.MustParse(q.Platform))
	build := platforms.Normalize(platforms.MustParse(q.BuildPlatform))
	caps := pb.Caps.CapSet(pb.Caps.All())
	return dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			BuildArgs: q.BuildArgs, Labels: q.Labels, Target: q.Target,
			BuildPlatforms: []ocispecs.Platform{build},
		},
		TargetPlatform: &target,
		MetaResolver:   images(q.Images),
		LLBCaps:        &caps,
	}
}

func resolve(q question) (answer, error) {
	result, err := dockerfile2llb.Dockerfile2LLB(context.Background(), []byte(q.Dockerfile), options(q))
	if err != nil {
		return nil, err
	}
	ops, err := operations(result.State)
	if err != nil {
		return nil, err
	}
	return answer{"image": result.Image, "ops": ops}, nil
}

// operations lists what the solver would do, in the order in which it is written down: sources before their users.
func operations(state llb.State) ([]answer, error) {
	definition, err := state.Marshal(context.Background())
	if err != nil {
		return nil, err
	}
	all := []answer{}
	for _, data := range definition.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return nil, err
		}
		switch kind := op.Op.(type) {
		case *pb.Op_Exec:
			all = append(all, execution(kind.Exec))
		case *pb.Op_File:
			for _, action := range kind.File.Actions {
				all = append(all, fileAction(action))
			}
		}
	}
	return all, nil
}

func execution(exec *pb.ExecOp) answer {
	mounts := []answer{}
	for _, mount := range exec.Mounts {
		one := answer{"target": mount.Dest, "type": mount.MountType.String(), "source": mount.Selector, "readonly": mount.Readonly}
		if mount.CacheOpt != nil {
			one["id"], one["sharing"] = mount.CacheOpt.ID, mount.CacheOpt.Sharing.String()
		}
		mounts = append(mounts, one)
	}
	meta := exec.Meta
	slices.Sort(meta.Env)
	return answer{
		"op": "exec", "argv": meta.Args, "env": meta.Env, "cwd": meta.Cwd, "user": meta.User, "mounts": mounts,
		"network": exec.Network.String(), "security": exec.Security.String(),
	}
}

func fileAction(action *pb.FileAction) answer {
	switch kind := action.Action.(type) {
	case *pb.FileAction_Copy:
		c := kind.Copy
		return answer{
			"op": "copy", "src": c.Src, "dest": c.Dest, "mode": c.Mode, "modeText": c.ModeStr, "unpack": c.AttemptUnpackDockerCompatibility,
			"include": c.IncludePatterns, "exclude": c.ExcludePatterns, "owner": c.Owner, "wildcard": c.AllowWildcard,
		}
	case *pb.FileAction_Mkdir:
		return answer{"op": "mkdir", "path": kind.Mkdir.Path, "owner": kind.Mkdir.Owner}
	case *pb.FileAction_Mkfile:
		return answer{"op": "mkfile", "path": kind.Mkfile.Path, "data": string(kind.Mkfile.Data), "mode": kind.Mkfile.Mode}
	}
	return answer{"op": "other"}
}

// ignore judges each path below the verdict on its directory, as the walk of BuildKit's file sync does.
func ignore(q question) (answer, error) {
	patterns := q.Patterns
	if patterns == nil {
		read, err := ignorefile.ReadAll(strings.NewReader(q.Text))
		if err != nil {
			return nil, err
		}
		patterns = read
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	known := map[string]patternmatcher.MatchInfo{}
	var judge func(path string) (bool, patternmatcher.MatchInfo, error)
	judge = func(path string) (bool, patternmatcher.MatchInfo, error) {
		var above patternmatcher.MatchInfo
		if parent := filepath.Dir(path); parent != "." {
			if _, ok := known[parent]; !ok {
				_, info, err := judge(parent)
				if err != nil {
					return false, info, err
				}
				known[parent] = info
			}
			above = known[parent]
		}
		return matcher.MatchesUsingParentResults(path, above)
	}
	ignored := []bool{}
	for _, path := range q.Paths {
		match, _, err := judge(path)
		if err != nil {
			return nil, err
		}
		ignored = append(ignored, match)
	}
	return answer{"ignored": ignored}, nil
}

// walk lays the files out in a folder and lists what BuildKit's file sync would send of it.
func walk(q question) (answer, error) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(q.Text))
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "slipway-oracle-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	for _, path := range q.Paths {
		file := filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			return nil, err
		}
	}
	kept := []string{}
	list := func(path string, _ os.FileInfo, err error) error {
		kept = append(kept, path)
		return err
	}
	if err := fsutil.Walk(context.Background(), folder, &fsutil.FilterOpt{ExcludePatterns: patterns}, list); err != nil {
		return nil, err
	}
	slices.Sort(kept)
	return answer{"kept": kept}, nil
}

func glob(q question) (answer, error) {
	matches := []bool{}
	for _, path := range q.Paths {
		match, err := filepath.Match(q.Pattern, path)
		if err != nil {
			return nil, err
		}
		matches = append(matches, match)
	}
	return answer{"matches": matches}, nil
}

// lint collects what BuildKit's build checks say about all stages.
func lint(q question) (answer, error) {
	warnings := []answer{}
	opt := options(q)
	opt.AllStages = true
	opt.Warn = func(rule, _, _, message string, location []parser.Range) {
		line := 0
		if len(location) > 0 {
			line = location[0].Start.Line
		}
		warnings = append(warnings, answer{"rule": rule, "line": line, "message": message})
	}
	if _, err := dockerfile2llb.Dockerfile2LLB(context.Background(), []byte(q.Dockerfile), opt); err != nil {
		return nil, err
	}
	return answer{"warnings": warnings}, nil
}
