package httpapi

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"golang.org/x/text/language"

	"example.com/storefront/internal/cart"
	"example.com/storefront/internal/catalog"
)

const (
	defaultPage = 20
	largestPage = 100
)

func (a *api) listProducts(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	offset, err := strconv.Atoi(cmp.Or(query.Get("offset"), "0"))
	if err != nil || offset < 0 {
		writeProblem(w, http.StatusBadRequest, "offset must be a number of at least 0")
		return
	}
	limit, err := strconv.Atoi(cmp.Or(query.Get("limit"), strconv.Itoa(defaultPage)))
	if err != nil || limit < 1 || limit > largestPage {
		writeProblem(w, http.StatusBadRequest, "limit must be a number from 1 to "+strconv.Itoa(largestPage))
		return
	}
	page := a.Catalog.Search(catalog.Query{Text: query.Get("q"), Category: query.Get("category"), Offset: offset, Limit: limit})
	writeJSON(w, http.StatusOK, page)
}

func (a *api) getProduct(w http.ResponseWriter, r *http.Request) {
	product, ok := a.Catalog.Get(chi.URLParam(r, "product"))
	if !ok {
		writeProblem(w, http.StatusNotFound, cart.ErrNoProduct.Error())
		return
	}
	writeJSON(w, http.StatusOK, product)
}

func (a *api) openCart(w http.ResponseWriter, r *http.Request) {
	opened := a.Carts.Open()
	w.Header().Set("Location", "/api/carts/"+opened.ID.String())
	a.writeCart(w, r, http.StatusCreated, opened)
}

func (a *api) getCart(w http.ResponseWriter, r *http.Request) {
	a.withCart(w, r, a.Carts.Get)
}

type putItemBody struct {
	Quantity int `json:"quantity" validate:"min=1,max=99"`
}

func (a *api) putItem(w http.ResponseWriter, r *http.Request) {
	var body putItemBody
	if problem := readJSON(w, r, a.Limits.BodyBytes, &body); problem != "" {
		writeProblem(w, http.StatusBadRequest, problem)
		return
	}
	if err := a.validate.Struct(body); err != nil {
		writeProblem(w, http.StatusUnprocessableEntity, "quantity must be from 1 to 99")
		return
	}
	a.withCart(w, r, func(id uuid.UUID) (cart.Cart, error) {
		return a.Carts.Put(id, chi.URLParam(r, "product"), body.Quantity)
	})
}

func (a *api) deleteItem(w http.ResponseWriter, r *http.Request) {
	a.withCart(w, r, func(id uuid.UUID) (cart.Cart, error) {
		return a.Carts.Put(id, chi.URLParam(r, "product"), 0)
	})
}

func (a *api) withCart(w http.ResponseWriter, r *http.Request, work func(uuid.UUID) (cart.Cart, error)) {
	id, err := uuid.Parse(chi.URLParam(r, "cart"))
	if err != nil {
		writeProblem(w, http.StatusNotFound, cart.ErrNoCart.Error())
		return
	}
	found, err := work(id)
	switch {
	case err == nil:
		a.writeCart(w, r, http.StatusOK, found)
	case errors.Is(err, cart.ErrNoCart), errors.Is(err, cart.ErrNoProduct):
		writeProblem(w, http.StatusNotFound, err.Error())
	case errors.Is(err, cart.ErrOutOfStock), errors.Is(err, cart.ErrFull):
		writeProblem(w, http.StatusConflict, err.Error())
	default:
		panic(err)
	}
}

type cartBody struct {
	ID        uuid.UUID  `json:"id"`
	Items     []lineBody `json:"items"`
	Quote     cart.Quote `json:"quote"`
	Formatted string     `json:"formatted"`
	Expires   time.Time  `json:"expires"`
}

type lineBody struct {
	Product  string `json:"product"`
	Name     string `json:"name"`
	Price    string `json:"price"`
	Quantity int    `json:"quantity"`
}

var languages = language.NewMatcher([]language.Tag{language.English, language.German, language.French})

func (a *api) writeCart(w http.ResponseWriter, r *http.Request, status int, content cart.Cart) {
	wanted, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	spoken, _, _ := languages.Match(wanted...)
	quote := a.Carts.Price(content)
	body := cartBody{
		ID: content.ID, Items: make([]lineBody, len(content.Lines)), Quote: quote,
		Formatted: quote.Total.Format(spoken), Expires: content.Expires.UTC(),
	}
	for i, line := range content.Lines {
		body.Items[i] = lineBody{line.Product.ID, line.Product.Name, line.Product.Price.String(), line.Quantity}
	}
	writeJSON(w, status, body)
}
