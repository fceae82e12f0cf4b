package conformance

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// Tests of the Gateway itself that can only be passed with HTTP or HTTPS listeners and HTTPRoutes. They ask for no
// feature but Gateway (and ReferenceGrant), so that the suite runs them with every profile.
var needHTTP = []string{
	"GatewayInvalidRouteKind",                   // an HTTP listener, HTTPRoute among its supported kinds
	"GatewayInvalidTLSConfiguration",            // HTTPS listeners
	"GatewayListenerUnsupportedProtocol",        // an HTTP listener that is accepted beside one that is not
	"GatewayModifyListeners",                    // HTTPS and HTTP listeners, an HTTPRoute attached to each
	"GatewaySecretInvalidReferenceGrant",        // an HTTPS listener
	"GatewaySecretMissingReferenceGrant",        // an HTTPS listener
	"GatewaySecretReferenceGrantAllInNamespace", // an HTTPS listener
	"GatewaySecretReferenceGrantSpecific",       // an HTTPS listener
}

func env(name, otherwise string) []string {
	value := os.Getenv(name)
	if value == "" {
		value = otherwise
	}
	return strings.Split(value, ",")
}

// TestConformance runs the official suite. The suite's own flags choose the GatewayClass, the profiles, the report.
//
//	PROTOCOLS   of listeners that the implementation serves; TCP,TLS,UDP by default; ALL leaves the suite as it is
//	NEED_HTTP   run: also the tests that need HTTP, to see them fail
func TestConformance(t *testing.T) {
	options := conformance.DefaultOptions(t)
	protocols := env("PROTOCOLS", "TCP,TLS,UDP")
	if !slices.Contains(protocols, "ALL") {
		manifests, marked, err := manifestsFor(protocols, &conformance.Manifests)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("nobody waits for these Gateways, which have no listener of %v: %v", protocols, marked)
		options.ManifestFS = []fs.FS{manifests}
		if os.Getenv("NEED_HTTP") != "run" {
			options.SkipTests = append(options.SkipTests, needHTTP...)
		}
	}
	conformance.RunConformanceWithOptions(t, options)
}

// TestList prints the tests that the suite runs for FEATURES, and the description of each.
func TestList(t *testing.T) {
	supported := env("FEATURES", "Gateway,ReferenceGrant,TCPRoute,TLSRoute,TLSRouteModeMixed,TLSRouteModeTerminate,UDPRoute")
	for _, test := range tests.ConformanceTests {
		missing := slices.ContainsFunc(test.Features, func(feature features.FeatureName) bool {
			return !slices.Contains(supported, string(feature))
		})
		if missing {
			continue
		}
		skipped := ""
		if slices.Contains(needHTTP, test.ShortName) {
			skipped = "(needs HTTP) "
		}
		t.Logf("%s %v: %s%s", test.ShortName, test.Features, skipped, test.Description)
	}
}
