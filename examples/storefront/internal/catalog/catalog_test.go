package catalog

import (
	"strings"
	"testing"
)

func load(t *testing.T) *Catalog {
	t.Helper()
	c, err := Load("", 8)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ids(page Page) string {
	var all []string
	for _, product := range page.Items {
		all = append(all, product.ID)
	}
	return strings.Join(all, " ")
}

func TestSearch(t *testing.T) {
	c := load(t)
	for name, one := range map[string]struct {
		query Query
		want  string
		total int
	}{
		"text":         {Query{Text: "MUG"}, "mug-blue mug-white", 2},
		"accents":      {Query{Text: "blùe"}, "mug-blue", 1},
		"tag":          {Query{Text: "gift", Category: "desk"}, "notebook pencil-set", 2},
		"window":       {Query{Category: "home", Offset: 1, Limit: 2}, "clock basket", 4},
		"past the end": {Query{Category: "home", Offset: 9}, "", 4},
		"nothing":      {Query{Text: "submarine"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // The second answer comes from the cache.
				page := c.Search(one.query)
				if ids(page) != one.want || page.Total != one.total {
					t.Errorf("got %q of %d", ids(page), page.Total)
				}
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for want, products := range map[string][]Product{
		"not an identifier": {{ID: "Big Mug"}},
		"twice":             {{ID: "mug"}, {ID: "mug"}},
	} {
		if _, err := New(products, 8); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
