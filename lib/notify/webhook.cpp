#include "notify/webhook.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "notify/notice_json.hpp"

namespace tandem::notify {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::string_view off_reason = "notices were turned off";
constexpr std::string_view overflow_reason = "too many notices waited";

http::PostSettings settings_of(const WebhookConfig& config) {
  return {config.url,        config.token,  config.secret,          config.headers,
          config.timeout_ms, config.tls_ca, config.tls_certificate, config.tls_key};
}

Result<http::HttpUrl> checked_url(const WebhookConfig& config) {
  auto url = http::check_post(settings_of(config));
  if (!url) return url;
  const auto bad = [](const char* key, std::int64_t value, const char* range) {
    return Error{ErrorCode::invalid_argument,
                 std::string(key) + ' ' + std::to_string(value) + " was not in " + range};
  };
  if (config.retries < 0 || config.retries > 1'000)
    return bad("retries", config.retries, "0..1000");
  if (config.retry_max_ms < 100 || config.retry_max_ms > 3'600'000)
    return bad("retry_max_ms", config.retry_max_ms, "100..3600000");
  if (config.retry_min_ms < 100 || config.retry_min_ms > config.retry_max_ms)
    return bad("retry_min_ms", config.retry_min_ms, "100..retry_max_ms");
  if (config.queue_max < 1 || config.queue_max > 1'000'000)
    return bad("queue_max", config.queue_max, "1..1000000");
  if (config.connections < 1 || config.connections > 64)
    return bad("connections", config.connections, "1..64");
  if (config.dead_letters.size() > 4'096)
    return Error{ErrorCode::invalid_argument, "dead_letters was longer than 4096 bytes"};
  return url;
}

}  // namespace

Result<WebhookTarget> WebhookTarget::open(const WebhookConfig& config, const std::string& folder) {
  auto url = checked_url(config);
  if (!url) return url.error();
  WebhookTarget target{config, std::move(*url), {}};
  HttpsConfig https;
  https.is_on = target.url.is_tls;
  if (!target.address()) https.name = target.url.host;
  https.ca = config.tls_ca;
  https.certificate = config.tls_certificate;
  https.key = config.tls_key;
  auto tls = http::open_client_tls(https, folder);
  if (!tls) return tls.error();
  target.tls = std::move(*tls);
  return target;
}

std::optional<SocketAddress> WebhookTarget::address() const {
  const auto ip = IpAddress::parse(url.host);
  if (!ip) return std::nullopt;
  return SocketAddress{*ip, url.port};
}

/// A notice on its way.
struct Webhook::Flight {
  Flight(Webhook& webhook, std::uint64_t number, Notice told)
      : owner(webhook),
        id(number),
        notice(std::move(told)),
        deadline(Timer::member<&Flight::late, Flight>(), this) {}
  void late() { owner.late(id); }

  Webhook& owner;
  const std::uint64_t id;
  Notice notice;
  std::size_t place = 0;  // that it went to
  Timer deadline;
};

Webhook::Webhook(io::Loop& loop, std::string kind, Read read)
    : loop_(loop),
      kind_(std::move(kind)),
      read_(std::move(read)),
      run_(std::to_string(loop.clock().wall_us())),
      pause_(Timer::member<&Webhook::go_on, Webhook>(), this) {}

Webhook::~Webhook() { *is_alive_ = false; }

// --- other threads ---

void Webhook::set_target(std::optional<WebhookTarget> target) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  is_on_.store(target.has_value());
  state_.is_configured = target.has_value();
  orders_.has_target = true;
  orders_.target = std::move(target);
  wake();
}

void Webhook::set_places(std::vector<SocketAddress> places) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  orders_.has_places = true;
  orders_.places = std::move(places);
  wake();
}

void Webhook::offer(Notice notice) {
  const std::lock_guard lock(mutex_);
  if (is_closed_ || !state_.is_configured) return;
  orders_.notices.push_back(std::move(notice));
  ++state_.waiting;
  // A loop that is busy takes them later; it is not to be given more than it would keep.
  constexpr std::size_t orders_max = 65'536;
  if (orders_.notices.size() > orders_max) {
    keep_letter({loop_.clock().wall_us(), std::string(overflow_reason),
                 std::move(orders_.notices.front().body)});
    orders_.notices.pop_front();
    --state_.waiting;
    ++state_.dropped;
  }
  wake();
}

void Webhook::tell_all(std::vector<std::string> keys) {
  const std::lock_guard lock(mutex_);
  if (is_closed_ || !state_.is_configured) return;
  state_.snapshot_left = keys.size();
  orders_.has_snapshot = true;
  orders_.snapshot = std::move(keys);
  wake();
}

/// With the lock.
void Webhook::wake() {
  if (is_woken_) return;
  is_woken_ = loop_
                  .post([this, alive = is_alive_] {
                    if (*alive) take_orders();
                  })
                  .ok();
  // A full loop: the next order wakes it, or the owner's next call.
}

WebhookState Webhook::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::vector<DeadLetter> Webhook::take_dead_letters() {
  const std::lock_guard lock(mutex_);
  // Orders that a full loop did not hear of are told of again here, about once a second.
  const bool has_orders =
      orders_.has_target || orders_.has_places || orders_.has_snapshot || !orders_.notices.empty();
  if (has_orders && !is_closed_) wake();
  std::vector<DeadLetter> taken(std::make_move_iterator(dead_letters_.begin()),
                                std::make_move_iterator(dead_letters_.end()));
  dead_letters_.clear();
  return taken;
}

void Webhook::note_lost(std::size_t letters) {
  const std::lock_guard lock(mutex_);
  state_.dead_letters_lost += letters;
}

void Webhook::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    is_on_.store(false);
  }
  pause_.cancel();
  take_back_flights();
  std::deque<Notice> untold;
  {
    const std::lock_guard lock(mutex_);
    untold.swap(orders_.notices);
  }
  for (auto& [name, key] : keys_) {
    for (Notice& notice : key.waiting)
      give_up(std::move(notice), &WebhookState::dropped, "the switch was closed");
  }
  for (Notice& notice : untold)
    give_up(std::move(notice), &WebhookState::dropped, "the switch was closed");
  keys_.clear();
  ready_.clear();
  snapshot_.clear();
  waiting_ = 0;
  clients_.clear();
  count_waiting();
}

// --- the loop ---

void Webhook::take_orders() {
  Orders taken;
  {
    const std::lock_guard lock(mutex_);
    is_woken_ = false;
    if (is_closed_) return;
    taken = std::exchange(orders_, {});
  }
  if (taken.has_target) aim(std::move(taken.target));
  if (taken.has_places) place(std::move(taken.places));
  for (Notice& notice : taken.notices)
    enqueue(std::move(notice));
  if (taken.has_snapshot)
    snapshot_.assign(std::make_move_iterator(taken.snapshot.begin()),
                     std::make_move_iterator(taken.snapshot.end()));
  refill();
  dispatch();
  count_waiting();
}

/// Notices that are under way are sent to the new target.
void Webhook::aim(std::optional<WebhookTarget> target) {
  take_back_flights();
  clients_.clear();
  places_.clear();
  pause_.cancel();
  rounds_failed_ = 0;
  target_ = std::move(target);
  if (target_) {
    if (const auto address = target_->address()) place({*address});
    while (waiting_ > static_cast<std::size_t>(target_->config.queue_max))
      make_room({});
  } else {
    for (auto& [name, key] : keys_) {
      for (Notice& notice : key.waiting)
        give_up(std::move(notice), &WebhookState::dropped, std::string(off_reason));
    }
    keys_.clear();
    ready_.clear();
    snapshot_.clear();
    waiting_ = 0;
  }
}

void Webhook::place(std::vector<SocketAddress> places) {
  if (!target_ || places == places_) return;
  take_back_flights();
  places_ = std::move(places);
  preferred_ = 0;
  clients_.clear();
  http::ClientLimits limits;
  limits.connections_max = static_cast<std::size_t>(target_->config.connections);
  limits.waiting_max = limits.connections_max;
  http::ClientEvents& own_events = *this;
  for (const SocketAddress& address : places_)
    clients_.push_back(
        std::make_unique<http::Client>(loop_, address, limits, own_events, target_->tls));
  pause_.cancel();  // what failed was asked elsewhere
}

/// Puts it among those of its key.
void Webhook::enqueue(Notice notice) {
  if (!target_) return give_up(std::move(notice), &WebhookState::dropped, std::string(off_reason));
  // Whoever offers it may have been held up meanwhile.
  const auto told = told_.find(notice.key);
  if (told != told_.end() && notice.sequence != 0 && told->second > notice.sequence) return;
  auto found = keys_.find(notice.key);
  if (found != keys_.end() && notice.sequence != 0) {
    const Key& key = found->second;
    const bool is_overtaken = key.is_under_way && key.sequence >= notice.sequence;
    const bool is_there =
        std::any_of(key.waiting.begin(), key.waiting.end(),
                    [&](const Notice& one) { return one.sequence == notice.sequence; });
    if (is_overtaken || is_there) return;
  }
  if (waiting_ + flights_.size() >= static_cast<std::size_t>(target_->config.queue_max)) {
    if (waiting_ == 0)
      return give_up(std::move(notice), &WebhookState::dropped, std::string(overflow_reason));
    make_room(notice.key);
  }
  Key& key = keys_[notice.key];
  auto at = key.waiting.end();
  while (notice.sequence != 0 && at != key.waiting.begin() &&
         std::prev(at)->sequence > notice.sequence)
    --at;
  const std::string name = notice.key;
  key.waiting.insert(at, std::move(notice));
  ++waiting_;
  list(name, key, false);
}

/// Gives up one that waits: an older one of that key, else the one whose turn is next. REQUIRES:
/// some wait.
void Webhook::make_room(const std::string& key) {
  auto found = keys_.find(key);
  while (found == keys_.end() || found->second.waiting.empty()) {
    if (ready_.empty()) {  // all that wait stand behind one that is under way
      found = std::find_if(keys_.begin(), keys_.end(),
                           [](const auto& entry) { return !entry.second.waiting.empty(); });
      break;
    }
    found = keys_.find(ready_.front());
    if (found != keys_.end() && !found->second.waiting.empty()) break;
    if (found != keys_.end()) found->second.is_listed = false;
    ready_.pop_front();
  }
  Key& chosen = found->second;
  Notice lost = std::move(chosen.waiting.front());
  chosen.waiting.pop_front();
  --waiting_;
  // Its own key keeps its turn: what is new takes the place at once.
  if (chosen.waiting.empty() && !chosen.is_under_way && found->first != key) {
    if (chosen.is_listed) ready_.pop_front();
    keys_.erase(found);
  }
  give_up(std::move(lost), &WebhookState::dropped, std::string(overflow_reason));
}

void Webhook::list(const std::string& name, Key& key, bool first) {
  if (key.is_listed || key.is_under_way || key.waiting.empty()) return;
  key.is_listed = true;
  if (first) {
    ready_.push_front(name);
  } else {
    ready_.push_back(name);
  }
}

/// What is late is late by moments: what was told long ago may be forgotten.
void Webhook::note_told(const Notice& notice) {
  if (notice.sequence == 0) return;
  if (told_.size() >= told_max) told_.clear();
  told_[notice.key] = notice.sequence;
}

/// Takes of a snapshot what there is room for.
void Webhook::refill() {
  if (!target_) return;
  const std::size_t room = std::min<std::size_t>(
      snapshot_waiting_max, static_cast<std::size_t>(target_->config.queue_max));
  // While the server fails one is enough to find out.
  const auto may_go_on = [&] {
    const std::size_t queued = waiting_ + flights_.size();
    return queued < (rounds_failed_ == 0 ? room : 1);
  };
  while (!snapshot_.empty() && may_go_on()) {
    auto notice = read_(snapshot_.front());
    snapshot_.pop_front();
    if (notice) enqueue(std::move(*notice));
  }
}

void Webhook::dispatch() {
  if (!target_ || pause_.is_pending()) return;
  const std::size_t most =
      rounds_failed_ > 0 ? 1 : static_cast<std::size_t>(target_->config.connections);
  while (!ready_.empty() && flights_.size() < most && !pause_.is_pending()) {
    const std::string name = std::move(ready_.front());
    ready_.pop_front();
    Key& key = keys_.at(name);
    key.is_listed = false;
    Notice next = std::move(key.waiting.front());
    key.waiting.pop_front();
    --waiting_;
    key.is_under_way = true;
    key.sequence = next.sequence;
    note_told(next);
    begin(std::move(next));
  }
}

void Webhook::begin(Notice notice) {
  const std::uint64_t id = next_id_++;
  // The same in each attempt: a notice that went out before a switch was restarted is another one.
  const std::string request_key =
      "tandem-" + kind_ + '-' + run_ + '-' +
      std::to_string(notice.number != 0 ? notice.number : (notice.number = next_number_++));
  auto flight = std::make_unique<Flight>(*this, id, std::move(notice));
  flight->place = preferred_;
  const std::string& body = flight->notice.body;
  const bool has_place = !clients_.empty();
  std::string request;
  if (has_place)
    request = http::signed_post(target_->url, settings_of(target_->config), request_key, body,
                                loop_.clock().wall_us());
  loop_.timers().start(flight->deadline, std::int64_t{target_->config.timeout_ms} * 1'000);
  flights_.emplace(id, std::move(flight));
  if (has_place && clients_[preferred_]->ask(id, std::move(request))) return;
  failed(land(id), has_place ? "too many requests waited" : "its name stands for no address", 0);
}

/// What was under way there; it waits for nothing any more.
Notice Webhook::land(std::uint64_t id) {
  const auto found = flights_.find(id);
  Notice notice = std::move(found->second->notice);
  flights_.erase(found);
  Key& key = keys_.at(notice.key);
  key.is_under_way = false;
  return notice;
}

void Webhook::on_response(std::uint64_t id, http::ReceivedResponse& response) {
  if (!flights_.contains(id)) return;
  if (response.status >= 200 && response.status < 300) {
    const auto code = return_code(response.body);
    if (!code || *code == 0) return delivered(id);
    return failed(land(id), "server answered retCode " + std::to_string(*code), 0);
  }
  if (http::refuses_content(response.status)) return refused(id, http::said(response));
  failed(land(id), http::said(response), http::asked_pause_s(response));
}

/// The next place is tried, once for all that failed at this one.
void Webhook::leave_place(std::uint64_t id) {
  if (flights_.at(id)->place == preferred_ && !clients_.empty())
    preferred_ = (preferred_ + 1) % clients_.size();
}

/// The flight, whose timer it is, is gone behind this.
void Webhook::late(std::uint64_t id) {
  for (const auto& client : clients_)
    client->forget(id);
  leave_place(id);
  failed(land(id), "no answer came within " + std::to_string(target_->config.timeout_ms) + " ms",
         0);
}

void Webhook::on_failure(std::uint64_t id, std::string_view reason) {
  if (!flights_.contains(id)) return;
  leave_place(id);
  failed(land(id), std::string(reason), 0);
}

void Webhook::delivered(std::uint64_t id) {
  const Notice notice = land(id);
  {
    const std::lock_guard lock(mutex_);
    ++state_.delivered;
    state_.is_failing = false;
    state_.last_error.clear();
  }
  rounds_failed_ = 0;
  const auto found = keys_.find(notice.key);
  if (found->second.waiting.empty()) {
    keys_.erase(found);
  } else {
    list(notice.key, found->second, false);
  }
  refill();
  dispatch();
  count_waiting();
}

void Webhook::refused(std::uint64_t id, std::string reason) {
  Notice notice = land(id);
  rounds_failed_ = 0;  // the server is there
  const auto found = keys_.find(notice.key);
  if (found->second.waiting.empty()) {
    keys_.erase(found);
  } else {
    list(notice.key, found->second, false);
  }
  {
    const std::lock_guard lock(mutex_);
    ++state_.failures;
    state_.is_failing = false;
  }
  give_up(std::move(notice), &WebhookState::refused, std::move(reason));
  refill();
  dispatch();
  count_waiting();
}

void Webhook::failed(Notice notice, std::string reason, std::int64_t pause_s) {
  const std::string name = notice.key;
  ++notice.attempts;
  const WebhookConfig& config = target_->config;
  {
    const std::lock_guard lock(mutex_);
    ++state_.failures;
    state_.is_failing = true;
    state_.last_error = '"' + http::shown_url(target_->url) + "\": " + reason;
  }
  Key& key = keys_.at(name);
  if (notice.attempts > config.retries) {
    give_up(std::move(notice), &WebhookState::expired, std::move(reason));
  } else {
    key.waiting.push_front(std::move(notice));
    ++waiting_;
  }
  if (key.waiting.empty()) {
    keys_.erase(name);
  } else {
    list(name, key, false);
  }
  // Others that were under way fail with it, and double nothing.
  if (!pause_.is_pending()) {
    const std::int64_t doubled_ms = std::int64_t{config.retry_min_ms}
                                    << std::min(rounds_failed_, 20);
    const std::int64_t pause_us = std::max(
        std::min<std::int64_t>(doubled_ms, config.retry_max_ms) * 1'000, pause_s * second_us);
    ++rounds_failed_;
    loop_.timers().start(pause_, pause_us);
  }
  count_waiting();
}

void Webhook::go_on() {
  refill();
  dispatch();
  count_waiting();
}

/// As if they had not been sent.
void Webhook::take_back_flights() {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, flight] : flights_)
    ids.push_back(id);
  for (const std::uint64_t id : ids) {
    for (const auto& client : clients_)
      client->forget(id);
    Notice notice = land(id);
    const std::string name = notice.key;
    Key& key = keys_.at(name);
    key.waiting.push_front(std::move(notice));
    ++waiting_;
    list(name, key, true);
  }
}

void Webhook::give_up(Notice notice, std::uint64_t WebhookState::*counter, std::string reason) {
  DeadLetter letter{loop_.clock().wall_us(), std::move(reason), std::move(notice.body)};
  const std::lock_guard lock(mutex_);
  ++(state_.*counter);
  keep_letter(std::move(letter));
}

/// With the lock.
void Webhook::keep_letter(DeadLetter letter) {
  // At the end they are what waited, and held no less before.
  if (dead_letters_.size() >= dead_letters_max && !is_closed_) {
    ++state_.dead_letters_lost;
    return;
  }
  dead_letters_.push_back(std::move(letter));
}

void Webhook::count_waiting() {
  const std::lock_guard lock(mutex_);
  state_.waiting = waiting_ + flights_.size() + orders_.notices.size();
  state_.snapshot_left = orders_.has_snapshot ? orders_.snapshot.size() : snapshot_.size();
}

}  // namespace tandem::notify

namespace tandem {

Result<void> check_webhook(const WebhookConfig& config) {
  const auto url = notify::checked_url(config);
  if (!url) return url.error();
  return {};
}

}  // namespace tandem
