#include "sip/stack.hpp"

#include <algorithm>

#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

class Group final : public StackGroup {
 public:
  StackShared shared;
  std::vector<std::unique_ptr<StackWorker>> workers;

  LegFactory& legs(unsigned worker) noexcept override { return *workers[worker]; }
  [[nodiscard]] const StackCounters& counters(unsigned worker) const noexcept override {
    return workers[worker]->counters();
  }
  [[nodiscard]] std::vector<ListenAddress> listening() const override {
    return workers[0]->transports().listening();
  }
  void set_draining(bool draining) noexcept override {
    shared.is_draining.store(draining, std::memory_order_relaxed);
  }
  void set_publish(std::int32_t expires_s) noexcept override {
    shared.publish_expires_s.store(expires_s, std::memory_order_relaxed);
  }
  void set_tls(std::shared_ptr<const io::TlsContext> context,
               const HandshakeLimits& limits) override {
    shared.tls.set_context(std::move(context), limits);
  }
};

}  // namespace

Result<std::unique_ptr<StackGroup>> StackGroup::create(const StackConfig& config,
                                                       const std::vector<io::Loop*>& loops,
                                                       const std::vector<InboundCalls*>& inbound,
                                                       const std::vector<Random*>& randoms,
                                                       Log& log) {
  constexpr std::size_t workers_max = 64;
  const std::size_t workers = loops.size();
  if (workers == 0 || workers > workers_max || inbound.size() != workers ||
      randoms.size() != workers) {
    return Error{ErrorCode::invalid_argument,
                 std::to_string(workers) + " workers were out of 1..64 or incomplete"};
  }
  if (config.listen.empty())
    return Error{ErrorCode::invalid_argument, "no listen address was given"};
  if (config.t1_us <= 0 || config.t2_us < config.t1_us || config.t4_us <= 0) {
    return Error{ErrorCode::invalid_argument, "SIP timers were not positive or T2 was below T1"};
  }
  constexpr std::size_t resends_max = 20;
  if (config.resend_us.size() > resends_max ||
      std::any_of(config.resend_us.begin(), config.resend_us.end(),
                  [](std::int64_t wait_us) { return wait_us <= 0; })) {
    return Error{ErrorCode::invalid_argument, "waits for responses were not positive or over 20"};
  }
  if (config.product.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return Error{ErrorCode::invalid_argument, "the product name had a line end"};
  }
  auto group = std::make_unique<Group>();
  group->shared.config = config;
  group->shared.tls.set_context(config.tls, config.handshakes);
  group->shared.hash_key = {randoms[0]->next(), randoms[0]->next()};
  group->shared.digest_secret = DigestServer::make_secret(*randoms[0]);
  if (!config.product.empty()) {
    group->shared.server_line = "Server: " + config.product;
    group->shared.user_agent_line = "User-Agent: " + config.product;
  }
  group->shared.workers.resize(workers);
  for (std::size_t from = 0; from < workers; ++from) {
    for (std::size_t to = 0; to < workers; ++to) {
      group->shared.rings.push_back(
          from == to ? nullptr : std::make_unique<HandoverRing>(config.handover_bytes));
    }
  }
  std::vector<ListenAddress> taken;
  for (std::size_t i = 0; i < workers; ++i) {
    auto worker = std::make_unique<StackWorker>(static_cast<unsigned>(i), group->shared, *loops[i],
                                                *inbound[i], *randoms[i], log);
    auto opened = worker->transports().open(taken, workers > 1);
    if (!opened) return std::move(opened).error();
    if (i == 0) taken = worker->transports().listening();
    group->shared.workers[i] = worker.get();
    group->workers.push_back(std::move(worker));
  }
  return std::unique_ptr<StackGroup>(std::move(group));
}

}  // namespace tandem::sip
