// `tandem-switch run`: a switch in the foreground, steered by signals.
#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>

#include "commands.hpp"

namespace {

void print_log(const tandem::LogRecord& record) {
  std::fprintf(stderr, "%s\n", record.to_string().c_str());
}

/// `drain_timeout_s` follows the file when it is applied.
void reload(tandem::Switch& switch_, const std::string& path, std::int64_t& drain_timeout_s) {
  const auto config = load_config(path);
  if (!config) return;  // said on stderr; the running configuration stays
  auto reloaded = switch_.reload(*config);
  if (!reloaded) {
    complain("reload failed: " + reloaded.error().message);
    return;
  }
  drain_timeout_s = config->parameters.drain_timeout_s;
  for (const auto& key : *reloaded)
    complain(key + " differs and needs a restart");
}

/// The next of `signals`, or 0 after `timeout_ms`.
int next_signal(const sigset_t& signals, int timeout_ms) {
  const timespec limit{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000L};
  const int signal = sigtimedwait(&signals, nullptr, &limit);
  return signal > 0 ? signal : 0;
}

}  // namespace

int run(const Options& options) {
  if (!options.allow({"config"}, {"config"})) return status_usage;
  const std::string path = options.text("config");
  const auto config = load_config(path);
  if (!config) return status_usage;

  // Blocked before any thread starts, so that they come to sigtimedwait() below and nowhere else.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  tandem::SwitchHooks hooks;
  hooks.log = print_log;
  auto created = tandem::Switch::create(*config, std::move(hooks));
  if (!created) {
    complain(created.error().message);
    return created.error().code == tandem::ErrorCode::invalid_argument ? status_usage
                                                                       : status_failed;
  }
  tandem::Switch& switch_ = **created;
  auto admin = tandem::AdminServer::create(*config, switch_);
  if (!admin) {
    complain(admin.error().message);
    return status_failed;
  }
  if (auto started = switch_.start(); !started) {
    complain(started.error().message);
    return status_failed;
  }
  std::puts("ready");
  std::fflush(stdout);

  std::int64_t drain_timeout_s = config->parameters.drain_timeout_s;
  int signal = 0;
  while (signal != SIGTERM && signal != SIGINT) {
    signal = next_signal(signals, 60'000);
    if (signal == SIGHUP) reload(switch_, path, drain_timeout_s);
  }
  switch_.drain();
  // Calls that are up may go on; a second signal or the time limit ends them.
  for (std::int64_t left_ms = drain_timeout_s * 1000; left_ms > 0 && switch_.live_calls() > 0;
       left_ms -= 100) {
    const int again = next_signal(signals, 100);
    if (again == SIGTERM || again == SIGINT) break;
  }
  *admin = {};
  switch_.close();
  return status_good;
}
