// Package catalog knows the products that are for sale.
package catalog

import (
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"example.com/storefront/internal/money"
)

//go:embed seed/products.yaml
var seed []byte

// Product is one thing that is for sale.
type Product struct {
	ID       string       `yaml:"id" json:"id"`
	Name     string       `yaml:"name" json:"name"`
	Category string       `yaml:"category" json:"category"`
	Price    money.Amount `yaml:"price" json:"price"`
	Stock    int          `yaml:"stock" json:"stock"`
	Tags     []string     `yaml:"tags" json:"tags,omitempty"`
}

// Query selects products. The zero value selects all of them.
type Query struct {
	Text     string
	Category string
	Offset   int
	Limit    int
}

// Page is a part of a query's answer.
type Page struct {
	Items []Product `json:"items"`
	Total int       `json:"total"`
}

// Catalog is a fixed set of products, sorted by name. It is safe for concurrent use.
type Catalog struct {
	products []Product
	byID     map[string]Product
	folded   map[string]string
	answers  *lru.Cache[Query, Page]
}

// Load reads the products from a YAML file, or the built-in ones when path is empty.
func Load(path string, cacheSize int) (*Catalog, error) {
	content := seed
	if path != "" {
		var err error
		if content, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("catalogue: %w", err)
		}
	}
	var products []Product
	if err := yaml.Unmarshal(content, &products); err != nil {
		return nil, fmt.Errorf("catalogue %s: %w", cmp.Or(path, "(built in)"), err)
	}
	return New(products, cacheSize)
}

var identifier = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// New makes a catalogue. It refuses identifiers that are malformed or used twice.
func New(products []Product, cacheSize int) (*Catalog, error) {
	answers, err := lru.New[Query, Page](cacheSize)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	c := &Catalog{byID: map[string]Product{}, folded: map[string]string{}, answers: answers}
	for _, product := range products {
		if !identifier.MatchString(product.ID) {
			return nil, fmt.Errorf("catalogue: %q is not an identifier", product.ID)
		}
		if _, twice := c.byID[product.ID]; twice {
			return nil, fmt.Errorf("catalogue: %q is there twice", product.ID)
		}
		c.byID[product.ID] = product
		c.folded[product.ID] = fold(product.Name + " " + strings.Join(product.Tags, " "))
	}
	c.products = slices.SortedFunc(slices.Values(products), func(a, b Product) int { return cmp.Compare(a.Name, b.Name) })
	return c, nil
}

// Len is the number of products.
func (c *Catalog) Len() int { return len(c.products) }

// Get finds a product by its identifier.
func (c *Catalog) Get(id string) (Product, bool) {
	product, ok := c.byID[id]
	return product, ok
}

// Search answers a query. Case and accents do not matter.
func (c *Catalog) Search(query Query) Page {
	if answer, ok := c.answers.Get(query); ok {
		return answer
	}
	wanted := fold(query.Text)
	found := slices.Collect(func(yield func(Product) bool) {
		for _, product := range c.products {
			if (query.Category == "" || product.Category == query.Category) && strings.Contains(c.folded[product.ID], wanted) && !yield(product) {
				return
			}
		}
	})
	answer := Page{Items: window(found, query.Offset, query.Limit), Total: len(found)}
	c.answers.Add(query, answer)
	return answer
}

func window(products []Product, offset, limit int) []Product {
	start := min(max(offset, 0), len(products))
	end := len(products)
	if limit > 0 {
		end = min(start+limit, end)
	}
	return append([]Product{}, products[start:end]...)
}

func fold(text string) string {
	bare := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	plain, _, err := transform.String(bare, text)
	if err != nil {
		plain = text
	}
	return cases.Fold().String(plain)
}
