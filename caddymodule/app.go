package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/secret"
)

func init() {
	caddy.RegisterModule(new(App))
	httpcaddyfile.RegisterGlobalOption("opensandbox", parseApp)
}

// App owns what the handlers share: the configuration, the runtime, the store, the
// directory of sandboxes, expiry and renewal. This long-lived state is opened once and
// survives config reloads; a reload applies what can change at run time (keys, hosts,
// limits, renew interval, log level) and is refused when it names another store or runtime.
//
// The TOML file says what the edge does; the options here only override it.
//
// Caddyfile (global option):
//
//	opensandbox {
//		config       <path>     # the TOML file; a relative path is relative to the Caddyfile
//		api_key      <key...>   # further API keys; placeholders such as {env.NAME} and {file./path} are replaced
//		public_hosts <host...>  # further hosts of the API
//		insecure                # run without any key
//	}
type App struct {
	// Config is the path of the TOML file. Default: SANDBOX_CONFIG_PATH, then ~/.sandbox.toml.
	Config string `json:"config,omitempty"`
	// APIKeys are accepted beside the keys of the TOML file. Use placeholders: the Caddy
	// config is shown by its admin endpoint.
	APIKeys []string `json:"api_keys,omitempty"`
	// PublicHosts are added to server.public_hosts.
	PublicHosts []string `json:"public_hosts,omitempty"`
	// Insecure declares that the server is meant to run without an API key.
	Insecure bool `json:"insecure,omitempty"`

	log      *slog.Logger
	settings *settings
	runtime  Runtime

	oversight oversight

	// What this instance has taken of the shared state and must give back. Caddy calls
	// Cleanup on a module whose Provision failed, too.
	acquired  atomic.Bool
	installed atomic.Bool
	shared    atomic.Pointer[state]
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "opensandbox", New: func() caddy.Module { return new(App) }}
}

// Provision reads and checks the configuration. It touches nothing: `caddy validate`
// runs it, and a reload that is refused must leave the running state alone.
func (app *App) Provision(ctx caddy.Context) error {
	app.log = slog.New(newLogHandler(ctx.Logger().Core()))
	path, err := caddy.NewReplacer().ReplaceOrErr(app.Config, true, true)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	loaded, err := config.Load(config.Options{Path: path})
	if err != nil {
		return err
	}
	for _, warning := range loaded.Report.Warnings {
		app.log.Debug("configuration: " + warning.String())
	}
	keys, err := app.keys(loaded.Config)
	if err != nil {
		return err
	}
	if app.settings, err = newSettings(loaded.Config, keys, app.PublicHosts, app.log.Handler()); err != nil {
		return err
	}
	maskSecrets(app.settings) // before anything of this configuration can be logged
	if running := pooledState(); running != nil {
		if err := running.accepts(app.settings); err != nil {
			return err
		}
	}
	if !loaded.Config.GatewayOnly() {
		module, err := ctx.LoadModuleByID("opensandbox.runtimes."+loaded.Config.Runtime.Type, nil)
		if err != nil {
			return fmt.Errorf("runtime.type %q: %w", loaded.Config.Runtime.Type, err)
		}
		app.runtime = module.(Runtime)
	}
	return ctx.GetMetricsRegistry().Register(currentMetrics{app})
}

// keys are the TOML file's and the overrides'.
func (app *App) keys(c *config.Config) ([]config.NamedKey, error) {
	keys := append([]config.NamedKey(nil), c.Server.Keys()...)
	for i, text := range app.APIKeys {
		value, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
		if err != nil {
			return nil, fmt.Errorf("api_keys[%d]: %w", i, err)
		}
		if value = strings.TrimSpace(value); value != "" {
			keys = append(keys, config.NamedKey{Name: fmt.Sprintf("caddy[%d]", i), Key: secret.New(value)})
		}
	}
	return keys, nil
}

// Validate demands a key, or the word that none is wanted.
func (app *App) Validate() error {
	if len(app.settings.keys) > 0 || app.Insecure || config.InsecureAcknowledged(os.LookupEnv) {
		return nil
	}
	return errors.New("no API key is configured, so everybody could run containers here: set server.api_key in " +
		"the TOML file, " + config.EnvAPIKey + " or api_key, or declare `insecure`")
}

// Start takes a share of the long-lived state, opens it when it is the first, and
// makes this configuration the effective one. It does not wait: until the state is
// ready the handlers answer 503.
func (app *App) Start() error {
	for _, k := range app.settings.keys {
		if config.IsSampleKey(k.Key) {
			return fmt.Errorf("the API key %s is a sample of an example or documentation page, which everybody knows: choose another", k.Name)
		}
	}
	shared, loaded, err := acquireState(app.settings)
	if err != nil {
		return err
	}
	app.acquired.Store(true)
	app.shared.Store(shared)
	if !loaded {
		shared.openInBackground(app.settings.config, app.runtime)
	}
	app.installed.Store(true)
	return shared.install(app.settings)
}

// Stop takes this configuration out. The state stays: handlers of this configuration
// may still serve requests, with the settings of the one that follows.
func (app *App) Stop() error {
	app.uninstall()
	return nil
}

// Cleanup gives the share of the state back; the last one closes it.
func (app *App) Cleanup() error {
	app.uninstall()
	unmaskSecrets(app.settings)
	if app.acquired.CompareAndSwap(true, false) {
		return releaseState()
	}
	return nil
}

func (app *App) uninstall() {
	if app.installed.CompareAndSwap(true, false) {
		app.shared.Load().uninstall(app.settings)
	}
}

// state returns the shared state, nil before there is one. Servers may be started
// before this app; they then use what an earlier configuration left.
func (app *App) state() *state {
	if s := app.shared.Load(); s != nil {
		return s
	}
	return pooledState()
}

// parseApp parses the global option.
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		return nil, d.Err("the opensandbox option is given twice")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "opensandbox", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens; see App for the grammar.
func (app *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the option's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch option := d.Val(); option {
		case "config":
			if !d.Args(&app.Config) {
				return d.ArgErr()
			}
			if !filepath.IsAbs(app.Config) && !strings.HasPrefix(app.Config, "~") && !strings.HasPrefix(app.Config, "{") {
				app.Config = filepath.Join(filepath.Dir(d.File()), app.Config)
			}
		case "api_key", "public_hosts":
			values := d.RemainingArgs()
			if len(values) == 0 {
				return d.ArgErr()
			}
			if option == "api_key" {
				app.APIKeys = append(app.APIKeys, values...)
			} else {
				app.PublicHosts = append(app.PublicHosts, values...)
			}
		case "insecure":
			if d.NextArg() {
				return d.ArgErr()
			}
			app.Insecure = true
		default:
			return d.Errf("unknown option %q: use config, api_key, public_hosts or insecure; everything else is set in the TOML file", option)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.App             = (*App)(nil)
	_ caddy.Provisioner     = (*App)(nil)
	_ caddy.Validator       = (*App)(nil)
	_ caddy.CleanerUpper    = (*App)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
)
