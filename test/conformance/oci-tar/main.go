// Command oci-tar reads and writes archives with Go's archive/tar, which is what container engines use, so that the tests can
// compare. "list FILE" prints a JSON object for each member; "write SPEC FILE" writes the members that a JSON array describes.
package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Names are bytes: JSON carries them as base64.
type member struct {
	Name     []byte            `json:"name"`
	Type     string            `json:"type"`
	Mode     int64             `json:"mode"`
	UID      int               `json:"uid"`
	GID      int               `json:"gid"`
	Size     int64             `json:"size"`
	Mtime    int64             `json:"mtime"`
	Linkname []byte            `json:"linkname"`
	Major    int64             `json:"major"`
	Minor    int64             `json:"minor"`
	Xattrs   map[string][]byte `json:"xattrs"`
	Content  []byte            `json:"content,omitempty"`
	Digest   string            `json:"digest"`
}

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "list":
		err = list(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "write":
		err = write(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("usage: oci-tar list FILE | oci-tar write SPEC FILE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func list(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	out := json.NewEncoder(os.Stdout)
	for reader := tar.NewReader(file); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, reader); err != nil {
			return err
		}
		one := member{
			Name: []byte(header.Name), Type: string(header.Typeflag), Mode: header.Mode & 0o7777,
			UID: header.Uid, GID: header.Gid, Size: header.Size, Mtime: header.ModTime.Unix(),
			Linkname: []byte(header.Linkname), Major: header.Devmajor, Minor: header.Devminor,
			Digest: hex.EncodeToString(hash.Sum(nil)), Xattrs: map[string][]byte{},
		}
		for key, value := range header.PAXRecords {
			if name, found := strings.CutPrefix(key, "SCHILY.xattr."); found {
				one.Xattrs[name] = []byte(value)
			}
		}
		if err := out.Encode(one); err != nil {
			return err
		}
	}
}

func write(spec, path string) error {
	text, err := os.ReadFile(spec)
	if err != nil {
		return err
	}
	var members []member
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	writer := tar.NewWriter(file)
	for _, one := range members {
		header := &tar.Header{
			Name: string(one.Name), Typeflag: one.Type[0], Mode: one.Mode, Uid: one.UID, Gid: one.GID, Size: one.Size,
			ModTime: time.Unix(one.Mtime, 0), Linkname: string(one.Linkname), Devmajor: one.Major, Devminor: one.Minor,
			PAXRecords: map[string]string{},
		}
		for name, value := range one.Xattrs {
			header.PAXRecords["SCHILY.xattr."+name] = string(value)
		}
		if err := writer.WriteHeader(header); err != nil {
			return fmt.Errorf("%q: %w", one.Name, err)
		}
		if _, err := writer.Write(one.Content); err != nil {
			return fmt.Errorf("%q: %w", one.Name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return file.Close()
}
