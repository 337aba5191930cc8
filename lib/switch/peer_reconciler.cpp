#include "switch/peer_reconciler.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "switch/peer_totals.hpp"

namespace tandem {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t answer_wait_us = 10 * second_us;
constexpr std::int64_t settle_periods = 2;

std::string totals_text(const InterconnectTotals& totals) {
  return std::to_string(totals.calls) + " calls, " + std::to_string(totals.answered) +
         " answered, " + std::to_string(totals.billed_time_s) + " s, " + totals.charge.to_string() +
         (totals.currency.empty() ? "" : ' ' + totals.currency);
}

}  // namespace

std::vector<PeerCheck> PeerReconciler::checks() const {
  const std::lock_guard lock(mutex_);
  std::vector<PeerCheck> checks;
  for (const auto& [gateway, place] : places_) {
    if (place.has_last) checks.push_back(place.last);
  }
  return checks;
}

void PeerReconciler::keep_only_configured(const SwitchConfig& config) {
  Places kept;
  for (const VendorGateway& vendor : config.provision.vendor_gateways) {
    if (!vendor.reconciliation) continue;
    const auto found = places_.find(vendor.id);
    Place place;
    if (found != places_.end() && found->second.peer == *vendor.reconciliation)
      place = std::move(found->second);
    place.peer = *vendor.reconciliation;
    kept.emplace(vendor.id, std::move(place));
  }
  places_ = std::move(kept);
  line_hundredths_ = config.parameters.reconciliation_line_hundredths;
}

void PeerReconciler::advance(std::int64_t now_us, const SwitchConfig& config) {
  const std::lock_guard turn(advance_mutex_);
  const std::int64_t period_us = config.parameters.reconciliation_period_s * second_us;
  std::vector<std::uint64_t> late;
  std::vector<std::pair<std::string, InterconnectQuery>> due;
  {
    const std::lock_guard lock(mutex_);
    keep_only_configured(config);
    for (auto& [gateway, place] : places_) {
      if (place.question != 0) {
        if (now_us >= place.deadline_us) late.push_back(place.question);
        continue;
      }
      const std::int64_t newest_us = now_us / period_us * period_us;
      if (place.next_us == 0) place.next_us = newest_us;
      // One that was not asked for long, or whose period was changed, does not catch up.
      const std::int64_t oldest_us = newest_us - 2 * settle_periods * period_us;
      if (place.next_us < oldest_us) place.next_us = oldest_us;
      if (now_us < place.next_us + (1 + settle_periods) * period_us) continue;
      due.emplace_back(gateway,
                       InterconnectQuery{gateway, true, place.next_us, place.next_us + period_us});
      place.next_us += period_us;
    }
  }
  for (const std::uint64_t id : late) {
    (void)loop_.post([this, id] {
      for (const auto& [gateway, asker] : askers_)
        asker.client->forget(id);
    });
    answer(id, Error{ErrorCode::timeout, "no answer came in time"});
  }
  for (const auto& [gateway, query] : due) {
    const auto ours = count_(query);
    std::uint64_t id = 0;
    std::optional<ReconciliationPeer> peer;
    {
      const std::lock_guard lock(mutex_);
      const auto found = places_.find(gateway);
      if (found == places_.end()) continue;
      Place& place = found->second;
      place.asked = PeerCheck{gateway, query.since_us, query.until_us, {}, {}, {}, false, {}};
      if (ours) place.asked.ours = *ours;
      place.question = id = ++questions_;
      place.deadline_us = now_us + answer_wait_us;
      if (ours) peer = place.peer;
    }
    // The files are read here, where that may take its time.
    auto tls = peer ? http::open_client_tls(peer->https, config.folder) : http::ClientTls{};
    if (peer && tls) ask(id, gateway, *peer, query, std::move(*tls));
    if (!tls) answer(id, tls.error());
    if (!ours) answer(id, ours.error());
  }
}

void PeerReconciler::ask(std::uint64_t id, const std::string& gateway,
                         const ReconciliationPeer& peer, const InterconnectQuery& query,
                         http::ClientTls tls) {
  const auto posted = loop_.post([this, id, gateway, address = peer.address, tls = std::move(tls),
                                  question = peer_totals_request(peer, query)]() mutable {
    if (!client_of(gateway, address, std::move(tls)).ask(id, std::move(question)))
      answer(id, Error{ErrorCode::limit, "too many questions waited"});
  });
  if (!posted) answer(id, posted.error());
}

/// On the loop.
http::Client& PeerReconciler::client_of(const std::string& gateway, const SocketAddress& address,
                                        http::ClientTls tls) {
  Asker& asker = askers_[gateway];
  std::string way = address.to_string() + ' ' + tls.name + ' ';
  if (tls.context != nullptr) way += tls.context->fingerprint();
  if (asker.client == nullptr || asker.way != way) {
    http::ClientEvents& own_events = *this;
    asker.client = std::make_unique<http::Client>(loop_, address, http::ClientLimits{}, own_events,
                                                  std::move(tls));
    asker.way = std::move(way);
  }
  return *asker.client;
}

void PeerReconciler::on_response(std::uint64_t id, http::ReceivedResponse& response) {
  if (response.status != 200)
    return answer(
        id, Error{ErrorCode::io, "it answered with status " + std::to_string(response.status)});
  answer(id, parse_interconnect_totals(response.body));
}

void PeerReconciler::on_failure(std::uint64_t id, std::string_view reason) {
  answer(id, Error{ErrorCode::io, std::string(reason)});
}

void PeerReconciler::answer(std::uint64_t id, const Result<InterconnectTotals>& theirs) {
  std::string news;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [gateway, place] : places_) {
      if (place.question != id) continue;
      place.question = 0;
      news = judge(place, theirs);
      break;
    }
  }
  if (!news.empty()) alarm_(std::move(news));
}

/// What is to be said; "": nothing new.
std::string PeerReconciler::judge(Place& place, const Result<InterconnectTotals>& theirs) {
  PeerCheck check = place.asked;
  const std::string who =
      "reconciliation of gateway \"" + check.gateway + "\" with " + place.peer.address.to_string();
  std::string trouble, text;
  if (!theirs) {
    check.failure = theirs.error().message;
  } else {
    check = compare_totals({check.gateway, true, check.since_us, check.until_us}, check.ours,
                           *theirs, line_hundredths_);
    if (check.is_exceeded) {
      const std::int64_t worst =
          *std::max_element(check.deviations.begin(), check.deviations.end());
      trouble = "deviates";
      text = who + " deviates by " + Amount::from_units(worst * (Amount::scale / 100)).to_string() +
             " % from " + format_time_us(check.since_us) + " to " + format_time_us(check.until_us) +
             ": ours " + totals_text(check.ours) + "; theirs " + totals_text(check.theirs);
    }
  }
  if (!check.failure.empty()) {
    trouble = "failed";
    text = who + " failed: " + check.failure;
  }
  if (trouble.empty() && !place.trouble.empty()) text = who + " agrees again";
  const bool is_news = trouble != place.trouble;
  place.trouble = trouble;
  place.last = std::move(check);
  place.has_last = true;
  return is_news ? text : std::string();
}

}  // namespace tandem
