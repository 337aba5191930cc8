// Compares, period by period, what a vendor gateway's calls came to with the count of the switch at
// its other end (B-27).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "http/client.hpp"
#include "io/loop.hpp"
#include "tandem/config.hpp"
#include "tandem/reconciliation.hpp"

namespace tandem {

/// Counting reads files, so it is done by whoever calls advance(); asking is done on a loop, which
/// it does not hold up. A period is compared when two more have passed, so that the records of both
/// ends are there. Periods that passed while no switch ran are not compared.
///
/// Threading: advance() and checks() are thread-safe; created before the loop starts or on it,
/// destroyed when the loop was stopped.
class PeerReconciler final : private http::ClientEvents {
 public:
  using Count = std::function<Result<InterconnectTotals>(const InterconnectQuery&)>;

  /// `loop` outlives this object. `count` may block. `alarm`: told when a gateway begins to deviate
  /// or cannot be compared, and when that is over; on the loop or within advance().
  PeerReconciler(io::Loop& loop, Count count, std::function<void(std::string)> alarm)
      : loop_(loop), count_(std::move(count)), alarm_(std::move(alarm)) {}

  /// Does what is due. Cheap when nothing is. Of `config` only the parameters count, the
  /// `reconciliation` of vendor gateways, and the folder of its files.
  void advance(std::int64_t now_us, const SwitchConfig& config);
  /// In order of the gateway's id.
  [[nodiscard]] std::vector<PeerCheck> checks() const;

 private:
  /// What is known of one gateway.
  struct Place {
    ReconciliationPeer peer;
    std::int64_t next_us = 0;      // begin of the next period
    std::uint64_t question = 0;    // under way; 0: none
    std::int64_t deadline_us = 0;  // of the question, wall clock
    PeerCheck asked;               // what is compared with the answer
    PeerCheck last;
    bool has_last = false;
    std::string trouble;  // said before
  };
  using Places = std::map<std::string, Place>;
  /// Who asks the peer of one gateway.
  struct Asker {
    std::unique_ptr<http::Client> client;
    std::string way;  // where and how; another one needs another client
  };

  void on_response(std::uint64_t id, http::ReceivedResponse& response) override;
  void on_failure(std::uint64_t id, std::string_view reason) override;
  void keep_only_configured(const SwitchConfig& config);
  void ask(std::uint64_t id, const std::string& gateway, const ReconciliationPeer& peer,
           const InterconnectQuery& query, http::ClientTls tls);
  void answer(std::uint64_t id, const Result<InterconnectTotals>& theirs);
  [[nodiscard]] std::string judge(Place& place, const Result<InterconnectTotals>& theirs);
  http::Client& client_of(const std::string& gateway, const SocketAddress& address,
                          http::ClientTls tls);

  io::Loop& loop_;
  const Count count_;
  const std::function<void(std::string)> alarm_;
  std::mutex advance_mutex_;  // one advance() at a time
  mutable std::mutex mutex_;  // guards the three below; never held while host code or count_ runs
  Places places_;             // by gateway
  std::uint64_t questions_ = 0;
  std::int32_t line_hundredths_ = 0;
  std::map<std::string, Asker> askers_;  // by gateway; of the loop
};

}  // namespace tandem
