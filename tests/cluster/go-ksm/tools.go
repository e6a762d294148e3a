//go:build tools

// Package tools names kube-state-metrics, which needs other versions of the Kubernetes libraries than the control plane.
package tools

import _ "k8s.io/kube-state-metrics/v2"
