package cart

import (
	"time"

	"github.com/shopspring/decimal"

	"example.com/storefront/internal/money"
)

// Quote is what a cart costs now.
type Quote struct {
	Subtotal money.Amount `json:"subtotal"`
	Discount money.Amount `json:"discount"`
	Shipping money.Amount `json:"shipping"`
	Tax      money.Amount `json:"tax"`
	Total    money.Amount `json:"total"`
}

var (
	weekendRate  = decimal.RequireFromString("0.05")
	shippingRate = must("4.90")
	freeShipping = must("50.00")
)

func must(text string) money.Amount {
	amount, err := money.Parse(text)
	if err != nil {
		panic(err)
	}
	return amount
}

// Price works out what the cart costs at this hour in the shop's time zone: five per cent off at weekends, shipping free
// from 50 euros on. Prices of products contain the tax.
func (s *Store) Price(cart Cart) Quote {
	var quote Quote
	for _, line := range cart.Lines {
		quote.Subtotal = quote.Subtotal.Plus(line.Product.Price.Times(line.Quantity))
	}
	if day := s.now().In(s.zone).Weekday(); day == time.Saturday || day == time.Sunday {
		quote.Discount = quote.Subtotal.Portion(weekendRate)
	}
	goods := quote.Subtotal.Minus(quote.Discount)
	if len(cart.Lines) > 0 && !goods.AtLeast(freeShipping) {
		quote.Shipping = shippingRate
	}
	quote.Total = goods.Plus(quote.Shipping)
	quote.Tax = quote.Total.Portion(s.tax.Div(s.tax.Add(decimal.NewFromInt(1))))
	return quote
}
