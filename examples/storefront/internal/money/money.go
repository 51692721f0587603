// Package money holds amounts exactly, in one currency.
package money

import (
	"encoding/json"
	"fmt"

	"github.com/shopspring/decimal"
	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Amount is a sum in euros.
type Amount struct{ value decimal.Decimal }

// Parse reads a decimal such as 19.90. It refuses negative amounts and more than two decimal places.
func Parse(text string) (Amount, error) {
	value, err := decimal.NewFromString(text)
	if err != nil {
		return Amount{}, fmt.Errorf("amount %q: %w", text, err)
	}
	if value.IsNegative() || !value.Equal(value.Round(2)) {
		return Amount{}, fmt.Errorf("amount %q: must be at least 0 with at most two decimal places", text)
	}
	return Amount{value}, nil
}

// Plus adds two amounts.
func (a Amount) Plus(b Amount) Amount { return Amount{a.value.Add(b.value)} }

// Times multiplies by a quantity.
func (a Amount) Times(quantity int) Amount {
	return Amount{a.value.Mul(decimal.NewFromInt(int64(quantity)))}
}

// Portion is a rate of the amount, rounded half to even as accountants do.
func (a Amount) Portion(rate decimal.Decimal) Amount { return Amount{a.value.Mul(rate).RoundBank(2)} }

// Minus takes b away; the result is never below zero.
func (a Amount) Minus(b Amount) Amount {
	return Amount{decimal.Max(decimal.Zero, a.value.Sub(b.value))}
}

// AtLeast reports whether a is b or more.
func (a Amount) AtLeast(b Amount) bool { return a.value.GreaterThanOrEqual(b.value) }

func (a Amount) String() string { return a.value.StringFixed(2) }

// Format writes the amount as people of that language read it.
func (a Amount) Format(tag language.Tag) string {
	value, _ := a.value.Float64()
	return message.NewPrinter(tag).Sprint(currency.Symbol(currency.EUR.Amount(value)))
}

// MarshalJSON writes a string: a float would lose cents.
func (a Amount) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// UnmarshalText reads what Parse reads.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
