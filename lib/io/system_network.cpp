#include <csignal>
#include <mutex>

#include "io/re.hpp"
#include "io/system_loop.hpp"

namespace tandem::io {
namespace {

/// libre_init() is for the process, is not counted and puts a handler of its own on SIGPIPE: once,
/// with the host's disposition put back. There is no counterpart: libre_close() would throw away
/// the loop of the calling thread, which may be the host's.
int init_libre_once() noexcept {
  static std::once_flag once;
  static int result = 0;
  std::call_once(once, [] {
    struct sigaction before {};
    const bool is_saved = ::sigaction(SIGPIPE, nullptr, &before) == 0;
    result = libre_init();
    if (is_saved) (void)::sigaction(SIGPIPE, &before, nullptr);
  });
  return result;
}

class SystemNetwork final : public Network {
 public:
  Result<std::unique_ptr<Loop>> create_loop(std::string name) override {
    if (const int error = init_libre_once(); error != 0) {
      return Error{ErrorCode::io, "libre could not start: " + system_message(error)};
    }
    auto loop = SystemLoop::create(std::move(name));
    if (!loop) return std::move(loop).error();
    return std::unique_ptr<Loop>(std::move(loop).value());
  }
  [[nodiscard]] const Clock& clock() const noexcept override { return clock_; }
  [[nodiscard]] bool is_simulated() const noexcept override { return false; }

 private:
  SystemClock clock_;
};

}  // namespace

std::unique_ptr<Network> make_system_network() { return std::make_unique<SystemNetwork>(); }

}  // namespace tandem::io
