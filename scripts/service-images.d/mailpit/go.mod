// A program that behaves like Mailpit as far as the chart and a client of its API use it.
module netshire.com/kilter/service-images/mailpit

go 1.26

require (
	github.com/emersion/go-sasl v0.0.0-20241020182733-b788ff22d5a6
	github.com/emersion/go-smtp v0.25.1
)
