#include "media/backend.hpp"

#include <utility>

#include "media/fast/fast.hpp"

namespace tandem::media {
namespace {

std::optional<std::string> always(const MediaConfig&) { return std::nullopt; }
bool is_wanted_always(const MediaConfig&) { return true; }
bool is_wanted_never(const MediaConfig&) { return false; }
bool has_interfaces(const MediaConfig& config) { return !config.kernel.interfaces.empty(); }

// Best first; `auto` takes the first that it may.
constexpr Backend backends[] = {
    {MediaBackend::kernel, why_no_kernel, has_interfaces, start_kernel},
    {MediaBackend::fast, why_not_fast, is_wanted_never, start_fast},
    {MediaBackend::portable, always, is_wanted_always, start_portable},
};

MediaBackendState probe(const Backend& backend, const MediaConfig& config) {
  MediaBackendState state;
  state.backend = backend.name;
  const std::optional<std::string> why_not = backend.why_not(config);
  state.is_usable = !why_not;
  state.detail = why_not.value_or("");
  return state;
}

}  // namespace

std::vector<MediaBackendState> probe_backends(const MediaConfig& config) {
  std::vector<MediaBackendState> states;
  for (const Backend& backend : backends)
    states.push_back(probe(backend, config));
  return states;
}

Result<std::shared_ptr<RelayCore>> start_backend(const MediaConfig& config) {
  std::vector<MediaBackendState> states = probe_backends(config);
  for (std::size_t i = 0; i < std::size(backends); ++i) {
    const bool is_auto = config.backend == MediaBackend::automatic;
    if (is_auto ? !backends[i].is_for_auto(config) : backends[i].name != config.backend) continue;
    if (!states[i].is_usable) {
      if (is_auto) continue;
      return Error{ErrorCode::unsupported, std::string("media backend ") +
                                               media_backend_name(config.backend) +
                                               " could not be used: " + states[i].detail};
    }
    if (backends[i].name != MediaBackend::kernel) clear_kernel(config);
    Result<std::shared_ptr<RelayCore>> core = backends[i].start(config);
    if (!core && is_auto && core.error().code == ErrorCode::unsupported) {
      states[i].is_usable = false;
      states[i].detail = core.error().message;
      continue;
    }
    if (!core) return core;
    states[i].is_running = true;
    states[i].detail = (*core)->how();
    (*core)->set_backends(std::move(states));
    return core;
  }
  return Error{ErrorCode::internal, "no media backend was found"};  // the last can always be used
}

}  // namespace tandem::media

namespace tandem {

const char* media_backend_name(MediaBackend backend) noexcept {
  switch (backend) {
    case MediaBackend::automatic:
      return "auto";
    case MediaBackend::portable:
      return "portable";
    case MediaBackend::fast:
      return "fast";
    case MediaBackend::kernel:
      return "kernel";
  }
  return "";
}

const char* media_attach_name(MediaAttach attach) noexcept {
  switch (attach) {
    case MediaAttach::automatic:
      return "auto";
    case MediaAttach::xdp_native:
      return "xdp_native";
    case MediaAttach::xdp_generic:
      return "xdp_generic";
    case MediaAttach::tc:
      return "tc";
  }
  return "";
}

Result<MediaRelay> MediaRelay::create(const MediaConfig& config) {
  if (Result<void> checked = media::check(config); !checked) return std::move(checked).error();
  auto core = media::start_backend(config);
  if (!core) return std::move(core).error();
  return MediaRelay(std::move(*core));
}

std::vector<MediaBackendState> MediaRelay::probe(const MediaConfig& config) {
  return media::probe_backends(config);
}

}  // namespace tandem
