// Package ext stands for the folder of Traefik that its module leaves out: fields that others may add to its settings.
package ext

// HTTP is added to the settings of all routes; here with nothing in it.
type HTTP struct{}

// Router is added to the settings of one route; here with nothing in it.
type Router struct{}
