// The attestation oracle reads a document from standard input and says whether the libraries of its own standard take it:
//
//	attestation-oracle statement        an in-toto statement v1; with SLSA provenance v1 as its predicate, that too
//	attestation-oracle spdx             an SPDX document 2.3 in JSON
//	attestation-oracle log ROOT HEX     a sigstore bundle that holds a statement about the SHA-256 HEX, against the trusted root in the
//	                                    file ROOT, with an entry of the transparency log; prints the name in the certificate
//	attestation-oracle time ROOT HEX    the same with a timestamp in the place of the entry: what gh asks of private repositories
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"
	"google.golang.org/protobuf/encoding/protojson"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "statement":
		return checkStatement()
	case len(os.Args) == 2 && os.Args[1] == "spdx":
		return checkSpdx()
	case len(os.Args) == 4 && os.Args[1] == "log":
		return checkBundle(os.Args[2], os.Args[3], verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	case len(os.Args) == 4 && os.Args[1] == "time":
		return checkBundle(os.Args[2], os.Args[3], verify.WithSignedTimestamps(1))
	}
	return errors.New("one of: statement, spdx, log ROOT HEX, time ROOT HEX")
}

// Unknown members are errors: protojson takes none that the schema does not name.
func checkStatement() error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var statement intoto.Statement
	if err := protojson.Unmarshal(text, &statement); err != nil {
		return err
	}
	if err := statement.Validate(); err != nil {
		return err
	}
	if statement.GetPredicateType() != "https://slsa.dev/provenance/v1" {
		return nil
	}
	predicate, err := json.Marshal(statement.GetPredicate().AsMap())
	if err != nil {
		return err
	}
	var said provenance.Provenance
	if err := protojson.Unmarshal(predicate, &said); err != nil {
		return err
	}
	return said.Validate()
}

func checkSpdx() error {
	document, err := spdxjson.Read(os.Stdin)
	if err != nil {
		return err
	}
	if document.SPDXVersion != "SPDX-2.3" {
		return fmt.Errorf("version %s", document.SPDXVersion)
	}
	return spdxlib.ValidateDocument(document)
}

func checkBundle(rootFile, digest string, proofs ...verify.VerifierOption) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var signed bundle.Bundle
	if err := signed.UnmarshalJSON(text); err != nil {
		return err
	}
	trusted, err := root.NewTrustedRootFromPath(rootFile)
	if err != nil {
		return err
	}
	verifier, err := verify.NewVerifier(trusted, append(proofs, verify.WithSignedCertificateTimestamps(1))...)
	if err != nil {
		return err
	}
	sum, err := hex.DecodeString(digest)
	if err != nil {
		return err
	}
	policy := verify.NewPolicy(verify.WithArtifactDigest("sha256", sum), verify.WithoutIdentitiesUnsafe())
	result, err := verifier.Verify(&signed, policy)
	if err != nil {
		return err
	}
	fmt.Println(result.Signature.Certificate.SubjectAlternativeName)
	return nil
}
