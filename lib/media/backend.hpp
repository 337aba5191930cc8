// The backends of the relay: which there are, which can be used here, which one runs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "media/relay.hpp"
#include "tandem/media_backend.hpp"

namespace tandem::media {

/// One backend. A new one is a row of the table in backend.cpp and a folder of its own.
struct Backend {
  MediaBackend name;
  /// Nothing: it can be used here. Else why not, in one line that names what is missing: the
  /// capability, the version of the system, the interface. Changes nothing and binds nothing.
  std::optional<std::string> (*why_not)(const MediaConfig& config);
  /// Whether `auto` takes it where it can be used.
  bool (*is_for_auto)(const MediaConfig& config);
  /// Makes and starts the relay. Errors: as MediaRelay::create(); those of a backend that only
  /// start_backend() can find out about, `unsupported`, let `auto` go on to the next one.
  Result<std::shared_ptr<RelayCore>> (*start)(const MediaConfig& config);
};

/// The relay of `config.backend`, which was checked. It knows what became of the other backends
/// (RelayCore::backends()).
Result<std::shared_ptr<RelayCore>> start_backend(const MediaConfig& config);

/// What can be used here, without starting anything.
std::vector<MediaBackendState> probe_backends(const MediaConfig& config);

Result<std::shared_ptr<RelayCore>> start_portable(const MediaConfig& config);  // system_relay.cpp
/// The same with something that carries plain streams past it; null: nothing.
Result<std::shared_ptr<RelayCore>> start_sockets(const MediaConfig& config,
                                                 std::unique_ptr<FlowAccelerator> accelerator);

// kernel/kernel_path.cpp
std::optional<std::string> why_no_kernel(const MediaConfig& config);
Result<std::shared_ptr<RelayCore>> start_kernel(const MediaConfig& config);
/// For a relay of another backend: what a former process left in the kernel for ports of `config`
/// is relayed no more, where this process has the right to end it. Nobody would end it otherwise.
void clear_kernel(const MediaConfig& config);

}  // namespace tandem::media
