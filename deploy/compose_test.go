// Package deploy_test checks what can be checked of docker-compose.yml without Docker. It is a module of its own so that
// the compose parser stays out of Carillon's. It cannot show that the images exist and start.
package deploy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

var secrets = []string{"POSTGRES_PASSWORD", "TEMPORAL_DB_PASSWORD", "CARILLON_DB_PASSWORD", "CARILLON_SECRET_KEY", "CARILLON_ADMIN_KEY"}

func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[a-z/-]+:\d+(\.\d+)*$`)
	for name, s := range load(t).Services {
		if s.Build == nil {
			require.Regexp(t, pinned, s.Image, name)
		}
	}
	for line := range strings.Lines(read(t, "../Dockerfile")) {
		if image, ok := strings.CutPrefix(line, "FROM "); ok {
			require.Regexp(t, `^[a-z]+:(\d+\.\d+\.\d+-bookworm|bookworm)`, image)
		}
	}
}

func TestNoPortIsPublic(t *testing.T) {
	t.Parallel()
	for name, s := range load(t).Services {
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s publishes %s", name, port.Published)
		}
		require.Empty(t, s.NetworkMode, name)
	}
}

func TestEveryDependencyCanBeMet(t *testing.T) {
	t.Parallel()
	services := load(t).Services
	for name, s := range services {
		for on, dependency := range s.DependsOn {
			switch dependency.Condition {
			case types.ServiceConditionHealthy:
				require.NotNil(t, services[on].HealthCheck, "%s waits for the health of %s", name, on)
			case types.ServiceConditionCompletedSuccessfully:
				require.Equal(t, "no", services[on].Restart, "%s waits for the end of %s", name, on)
			default:
				t.Errorf("%s depends on %s without a condition", name, on)
			}
		}
	}
}

func TestDataIsInNamedVolumes(t *testing.T) {
	t.Parallel()
	project := load(t)
	for name, s := range project.Services {
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeBind:
				require.True(t, v.ReadOnly, "%s: %s", name, v.Source)
				require.DirExists(t, strings.TrimSuffix(v.Source, "/roles.sh"))
			default:
				require.Contains(t, project.Volumes, v.Source, "%s: anonymous volume at %s", name, v.Target)
			}
		}
	}
	require.Equal(t, "postgres:17", project.Services["postgres"].Image)
	require.Equal(t, "/var/lib/postgresql/data", project.Services["postgres"].Volumes[0].Target, "where 17 keeps its data")
}

func TestOurContainersAreClosed(t *testing.T) {
	t.Parallel()
	services := load(t).Services
	for _, name := range []string{"migrate", "api", "worker"} {
		s := services[name]
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		require.Equal(t, types.ShellCommand{name}, s.Command, name)
		require.Equal(t, "carillon", *s.Environment["TEMPORAL_NAMESPACE"], name)
	}
	require.NotContains(t, services["worker"].Environment, "CARILLON_ADMIN_KEY")
}

func TestNoSecretHasADefault(t *testing.T) {
	t.Parallel()
	for _, missing := range secrets {
		_, err := project(t, missing)
		require.ErrorContains(t, err, missing)
	}
}

func load(t *testing.T) *types.Project {
	t.Helper()
	p, err := project(t, "")
	require.NoError(t, err)
	return p
}

// project loads the file as docker compose does, with every secret set but one. An unknown key is an error.
func project(t *testing.T, missing string) (*types.Project, error) {
	t.Helper()
	var env []string
	for _, name := range secrets {
		if name != missing {
			env = append(env, name+"=0123456789abcdef")
		}
	}
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithName("carillon"), cli.WithEnv(env))
	require.NoError(t, err)
	return options.LoadProject(t.Context())
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
