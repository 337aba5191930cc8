// Phones that come and go, told to a server (I-02), in the life of a switch.
#include <algorithm>

#include "notify/notice_json.hpp"
#include "switch/body.hpp"
#include "switch/dead_letters.hpp"

namespace tandem {

namespace {

/// What the host of the notices stands for; nothing: it is an address, or there are no notices.
std::optional<sip::Location> location_of_notices(const std::optional<WebhookConfig>& config) {
  if (!config) return std::nullopt;
  const auto url = http::parse_http_url(config->url);
  if (!url || IpAddress::parse(url->host)) return std::nullopt;
  sip::Location what;
  what.name = url->host;
  what.port = url->port;
  what.transport = SipTransport::tcp;
  what.uses_ipv6 = true;
  return what;
}

notify::Notice notice_of(const notify::PhoneOnline& told, std::uint64_t sequence) {
  return {told.number, sequence, notify::phone_online_json(told)};
}

}  // namespace

/// Reads the files of TLS. Errors: with the place in the configuration.
Result<std::optional<notify::WebhookTarget>> Switch::Body::open_notice_target(
    const SwitchConfig& config) {
  if (!config.phone_notices) return std::optional<notify::WebhookTarget>();
  auto target = notify::WebhookTarget::open(*config.phone_notices, config.folder);
  if (!target) return Error{target.error().code, "/phone_notices: " + target.error().message};
  return std::optional<notify::WebhookTarget>(std::move(*target));
}

Result<void> Switch::Body::open_notices() {
  phone_notices_ = std::make_unique<notify::Webhook>(
      *seats_.front().loop, "PhoneOnline",
      [this](const std::string& number) { return notice_of_phone(number); });
  auto target = open_notice_target(config_);
  if (!target) return target.error();
  if (*target) phone_notices_->set_target(std::move(*target));
  place_dead_letters(config_);
  return {};
}

/// By the folder of that configuration, which the one in force may not have.
void Switch::Body::place_dead_letters(const SwitchConfig& config) {
  if (!config.phone_notices) return;  // what is given up with them goes where it went
  const std::string& file = config.phone_notices->dead_letters;
  std::string path = file.empty() ? std::string() : config.path(file);
  const std::lock_guard lock(config_mutex_);
  dead_letters_path_ = std::move(path);
}

/// Every name that is to be asked for.
std::vector<sip::Location> Switch::Body::wanted_locations(
    const call::Tables& tables, const std::optional<WebhookConfig>& notices) {
  std::vector<sip::Location> wanted = call::wanted_locations(tables);
  auto own = location_of_notices(notices);
  const auto is_same = [&](const sip::Location& one) { return one.key() == own->key(); };
  if (own && std::none_of(wanted.begin(), wanted.end(), is_same)) wanted.push_back(std::move(*own));
  return wanted;
}

void Switch::Body::place_notices(const call::LocatedNames& located) {
  std::optional<sip::Location> own;
  {
    const std::lock_guard lock(config_mutex_);
    own = location_of_notices(config_.phone_notices);
  }
  if (!own) return;
  const auto found = located.find(own->key());
  if (found == located.end()) return;
  std::vector<SocketAddress> places;
  for (const sip::LocatedPlace& place : found->second.places)
    places.push_back(place.address);
  phone_notices_->set_places(std::move(places));
}

/// On a call worker.
void Switch::Body::notice_phone(const Event& event) {
  const RegistrationChange& change = *event.registration;
  notify::PhoneOnline told;
  told.number = change.phone;
  told.dids = change.dids;
  told.is_online = change.is_online();
  told.at_us = event.at_us;
  told.local = change.local;
  told.remote = change.source;
  told.product = change.product;
  phone_notices_->offer(notice_of(told, change.sequence));
}

/// As it is now, for a snapshot; on the first loop.
std::optional<notify::Notice> Switch::Body::notice_of_phone(const std::string& number) const {
  const std::shared_ptr<const call::Tables> snapshot = tables();
  const call::Phone* const phone = snapshot->find_phone(number);
  if (phone == nullptr) return std::nullopt;
  const Clock& clock = environment_.network->clock();
  const phone::Presence now = state_.registrar.presence(
      snapshot->customers[phone->customer].config.id, clock.monotonic_us());
  notify::PhoneOnline told;
  told.number = phone->config.number;
  told.dids = phone->config.dids;
  told.is_online = now.best.has_value();
  told.at_us = clock.wall_us();
  if (now.best) {
    told.local = now.best->local;
    told.remote = now.best->source;
    told.product = now.best->product;
  }
  return notice_of(told, now.sequence);
}

Result<std::size_t> Switch::Body::notify_phones() {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (!phone_notices_->is_on())
    return Error{ErrorCode::wrong_state, "no phone_notices are configured"};
  std::vector<std::string> numbers;
  const std::shared_ptr<const call::Tables> snapshot = tables();  // a reload may end them
  for (const call::Phone& phone : snapshot->phones)
    numbers.push_back(phone.config.number);
  const std::size_t count = numbers.size();
  phone_notices_->tell_all(std::move(numbers));
  return count;
}

/// Not on a worker.
void Switch::Body::keep_dead_letters() {
  const std::vector<notify::DeadLetter> letters = phone_notices_->take_dead_letters();
  if (letters.empty()) return;
  std::string path;
  {
    const std::lock_guard lock(config_mutex_);
    path = dead_letters_path_;
  }
  if (path.empty()) return;
  const std::shared_ptr<cdr::Disk> disk =
      environment_.disk != nullptr ? environment_.disk : std::make_shared<cdr::PosixDisk>();
  const auto written = write_dead_letters(*disk, path, letters);
  const std::size_t lost = written ? *written : letters.size();
  phone_notices_->note_lost(lost);
  std::string failure;
  if (!written) failure = written.error().message;
  if (written && lost != 0) failure = "file of dead letters \"" + path + "\" is full";
  if (!failure.empty() && failure != dead_letter_failure_)
    alarm("phone notices that were given up are not kept: " + failure);
  dead_letter_failure_ = std::move(failure);
}

/// Once a second.
void Switch::Body::judge_notices(
    const std::function<void(const std::string&, bool, const std::string&)>& judge) {
  const WebhookState state = phone_notices_->state();
  judge("server of phone notices", state.is_configured && state.is_failing,
        "server of phone notices fails: " + state.last_error);
  const std::uint64_t given_up = state.refused + state.expired + state.dropped;
  if (given_up > notices_given_up_told_)
    alarm("phone notices were given up: " + std::to_string(given_up - notices_given_up_told_));
  notices_given_up_told_ = given_up;
}

}  // namespace tandem
