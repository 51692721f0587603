package money

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"golang.org/x/text/language"
)

func amount(t *testing.T, text string) Amount {
	t.Helper()
	parsed, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestArithmeticIsExact(t *testing.T) {
	sum := Amount{}
	for range 10 {
		sum = sum.Plus(amount(t, "0.10"))
	}
	if sum.String() != "1.00" {
		t.Errorf("ten times 0.10 is %s", sum)
	}
	if got := amount(t, "19.99").Times(3).String(); got != "59.97" {
		t.Errorf("3 × 19.99 is %s", got)
	}
	if got := amount(t, "0.50").Portion(decimal.RequireFromString("0.19")).String(); got != "0.10" {
		t.Errorf("19 %% of 0.50 is %s", got)
	}
	if got := amount(t, "1").Minus(amount(t, "2")).String(); got != "0.00" {
		t.Errorf("1 − 2 is %s", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "-1", "1.001", "abc"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestForms(t *testing.T) {
	encoded, err := json.Marshal(amount(t, "5"))
	if err != nil || string(encoded) != `"5.00"` {
		t.Errorf("got %s, %v", encoded, err)
	}
	if got := amount(t, "1234.5").Format(language.English); !strings.Contains(got, "€") || !strings.Contains(got, "1,234.50") {
		t.Errorf("got %s", got)
	}
}
