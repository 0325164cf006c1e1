module example

go 1.26.0

require (
	chit v0.0.0
	golang.org/x/oauth2 v0.37.0
)

replace chit => ../
