// What is configured comes into force.
#include "switch/body.hpp"

#include <algorithm>
#include <set>

#include "switch/ask_workers.hpp"
#include "switch/config_check.hpp"
#include "switch/provision_kinds_json.hpp"
#include "switch/tls_files.hpp"

namespace tandem {

namespace {

std::set<std::string, std::less<>> ids_of(const std::vector<AccountConfig>& accounts) {
  std::set<std::string, std::less<>> ids;
  for (const AccountConfig& account : accounts)
    ids.insert(account.id);
  return ids;
}

HandshakeLimits handshake_limits(const SwitchConfig& config) {
  return config.sip_tls ? config.sip_tls->handshakes : HandshakeLimits{};
}

bool same_listeners(const std::vector<ListenConfig>& a, const std::vector<ListenConfig>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ListenConfig& x, const ListenConfig& y) {
                      return x.transport == y.transport && x.address == y.address &&
                             x.client_certificate == y.client_certificate && x.origins == y.origins;
                    });
}

}  // namespace

std::shared_ptr<const call::Tables> Switch::Body::tables() const {
  const std::lock_guard lock(config_mutex_);
  return tables_;
}

SwitchConfig Switch::Body::config_in_force() const {
  const std::lock_guard lock(config_mutex_);
  return config_;
}

std::string Switch::Body::account_currency(std::string_view account) const {
  const auto known = state_.accounts.state(account);
  return known ? known->settings.currency : std::string();
}

Result<std::vector<std::string>> Switch::Body::reload(const SwitchConfig& update) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  const auto refused = [](const std::vector<ConfigError>& errors) {
    return Error{ErrorCode::invalid_argument,
                 errors.front().pointer + ": " + errors.front().message};
  };
  std::vector<ConfigError> errors;
  check_config(update, errors);
  if (!errors.empty()) return refused(errors);
  // Before anything changes: with files that cannot be used all stays as it is.
  auto tls = open_tls(update);
  if (!tls) return tls.error();
  auto notices = open_notice_target(update);
  if (!notices) return notices.error();
  Provision objects = update.provision;
  if (auto frozen = freeze_decks(objects.rate_decks); !frozen) return frozen.error();

  const auto lock = provisioning_body_->exclusive();
  const SwitchConfig before = config_in_force();
  SwitchConfig merged = before;
  merged.parameters = update.parameters;
  merged.sip_tls = update.sip_tls;
  merged.phone_notices = update.phone_notices;
  if (merged.sip_tls) *merged.sip_tls = io::resolved_tls(*merged.sip_tls, update.folder);
  // Marks of packets are those that the sockets were opened with.
  merged.parameters.sip_tos = before.parameters.sip_tos;
  merged.parameters.media_tos = before.parameters.media_tos;
  merged.parameters.auth_sha256 = before.parameters.auth_sha256;
  // Transactions under way go by the timers that they began with.
  merged.parameters.sip_t1_ms = before.parameters.sip_t1_ms;
  merged.parameters.sip_t2_ms = before.parameters.sip_t2_ms;
  merged.parameters.sip_t4_ms = before.parameters.sip_t4_ms;
  merged.parameters.sip_resend_ms = before.parameters.sip_resend_ms;
  ProvisionStore& store = provisioning_body_->store();
  ProvisionStore::Batch versions;
  if (auto laid =
          lay_decks(provisioning_body_->decks(), objects.rate_decks, 0, wall_us(), versions);
      !laid)
    return laid.error();
  config::upsert(merged.provision, objects);
  check_config(merged, errors);
  check_moved_phones(before, merged, errors);
  check_zone_of_slots(before, update, errors);
  if (!errors.empty()) return refused(errors);
  auto installed = install(std::move(merged), [&] { return store.write(versions); });
  if (!installed) return installed.error();
  provisioning_body_->note_changed_decks();
  place_dead_letters(update);
  // Who is told as before is told on, unless certificates may have been renewed.
  if (update.phone_notices != before.phone_notices || (*notices && (*notices)->url.is_tls))
    phone_notices_->set_target(std::move(*notices));
  place_notices(located_names());
  {
    // What is being closed takes no connections any more.
    const std::lock_guard workers_lock(workers_mutex_);
    if (life_ != Life::closed) {
      stack_->set_tls(*tls, handshake_limits(update));
      stack_->set_publish(update.parameters.publish_expires_s);
    }
  }
  warn_of_certificate(tls->get());

  std::vector<std::string> need_restart;
  const auto differs = [&](const char* key, bool different) {
    if (different) need_restart.emplace_back(key);
  };
  differs("database", update.path(update.database) != before.path(before.database));
  differs("deck_images", update.deck_images != before.deck_images);
  differs("sip.listen", !same_listeners(update.sip_listen, before.sip_listen));
  differs("sip.connections_per_peer",
          update.sip_connections_per_peer != before.sip_connections_per_peer);
  differs("sip.product", update.sip_product != before.sip_product);
  differs("sip.workers", update.sip_workers != before.sip_workers);
  differs("media", update.media_address != before.media_address ||
                       update.media_address6 != before.media_address6 ||
                       update.media_port_low != before.media_port_low ||
                       update.media_port_high != before.media_port_high ||
                       update.media_backend != before.media_backend ||
                       update.media_kernel != before.media_kernel ||
                       update.media_shards != before.media_shards ||
                       update.media_nice != before.media_nice ||
                       update.media_jitter_min_ms != before.media_jitter_min_ms ||
                       update.media_jitter_max_ms != before.media_jitter_max_ms ||
                       update.media_dtls_certificate != before.media_dtls_certificate ||
                       update.media_dtls_key != before.media_dtls_key);
  differs("parameters.sip_tos", update.parameters.sip_tos != before.parameters.sip_tos);
  differs("parameters.sip_t1_ms", update.parameters.sip_t1_ms != before.parameters.sip_t1_ms);
  differs("parameters.sip_t2_ms", update.parameters.sip_t2_ms != before.parameters.sip_t2_ms);
  differs("parameters.sip_t4_ms", update.parameters.sip_t4_ms != before.parameters.sip_t4_ms);
  differs("parameters.sip_resend_ms",
          update.parameters.sip_resend_ms != before.parameters.sip_resend_ms);
  differs("recording", update.recording != before.recording);
  differs("parameters.media_tos", update.parameters.media_tos != before.parameters.media_tos);
  differs("parameters.auth_sha256", update.parameters.auth_sha256 != before.parameters.auth_sha256);
  differs("admin.listen", update.admin_listen != before.admin_listen);
  differs("admin.token", update.admin_token != before.admin_token);
  differs("cdr.commit_interval_ms", update.cdr_commit_interval_ms != before.cdr_commit_interval_ms);
  differs("cdr.journal", update.path(update.cdr_journal) != before.path(before.cdr_journal));
  differs("cdr.sinks", update.cdr_sinks != before.cdr_sinks);
  differs("dns", update.dns != before.dns);
  differs("shadow", update.shadow != before.shadow);
  differs("trace", update.trace != before.trace);
  return need_restart;
}

/// Accounts that are new here may have money that an earlier run left them: a balance that is
/// configured counts once.
Result<void> Switch::Body::prepare_accounts(SwitchConfig& config) {
  for (AccountConfig& account : config.provision.accounts) {
    const std::string currency = account_currency(account.id);
    if (currency.empty()) {
      auto left = ledger_->balance(account.id);
      if (!left) return left.error();
      if (*left) account.balance = **left;
    } else if (currency != account.currency) {
      return Error{ErrorCode::invalid_argument, "account \"" + account.id + "\" is in " + currency +
                                                    " and cannot become one in " +
                                                    account.currency};
    }
  }
  return {};
}

Result<void> Switch::Body::open_accounts(const SwitchConfig& config) {
  for (const AccountConfig& account : config.provision.accounts) {
    auto made = ledger_->create_account_if_absent(account.id, account.balance, wall_us());
    if (!made) return made.error();
    // A change that failed may have opened it with another balance.
    if (*made) {
      if (auto opened = state_.accounts.restore(account.id, account.balance); !opened)
        return opened;
    }
  }
  return {};
}

/// M-14: a few lines, however much of a voice is missing.
std::vector<std::string> Switch::Body::faults_of_voices(const call::Tables& tables) {
  constexpr std::size_t lines_max = 8;
  const std::vector<std::string>& all = tables.voice_faults;
  std::vector<std::string> lines(
      all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(lines_max, all.size())));
  if (all.size() > lines_max)
    lines.push_back("voices: " + std::to_string(all.size() - lines_max) +
                    " more sound files were not there");
  return lines;
}

Result<void> Switch::Body::install(SwitchConfig config,
                                   const std::function<Result<void>()>& commit) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (auto prepared = prepare_accounts(config); !prepared) return prepared;
  const std::shared_ptr<const call::Tables> old = tables();
  auto built = call::build_tables(config, state_, old.get());
  auto done = built ? open_accounts(config) : Result<void>(built.error());
  if (done) done = commit();
  if (!done) {
    // Building has given the accounts their new limits and locks already.
    for (const AccountConfig& account : config_.provision.accounts)
      (void)state_.accounts.provision(call::account_settings(config_, account),
                                      account.balance);  // it was possible before
    (void)call::provision_packages(config_, state_.packages);
    return done;
  }
  const std::shared_ptr<const call::Tables> fresh = retired_tables_->watch(std::move(*built));
  call::LocatedNames located;
  {
    // Tables take long to build: close() may have freed the keeper meanwhile.
    const std::lock_guard workers_lock(workers_mutex_);
    if (life_ != Life::closed) {
      name_keeper_->want(wanted_locations(*fresh, config.phone_notices));
      located = name_keeper_->located();
    }
  }
  const auto fresh_names = call::build_names(*fresh, state_, located, names().get());
  std::shared_ptr<const PastRates> stale;  // ends without the lock, as the old configuration does
  {
    const std::lock_guard lock(config_mutex_);
    tables_ = fresh;
    names_ = fresh_names;
    stale.swap(past_rates_);
    account_ids_ = ids_of(config.provision.accounts);
    std::swap(config_, config);  // the old one ends without the lock: it may take long
  }
  ask_workers([fresh, fresh_names](call::Worker& worker) {
    worker.set_tables(fresh, fresh_names);
    return true;
  });
  use_registrants(*fresh);
  // Once, not with every other change.
  if (old == nullptr || old->voice_faults != fresh->voice_faults) {
    for (std::string& text : faults_of_voices(*fresh))
      alarm(std::move(text));
  }
  if (package_keeper_) package_keeper_->advance(wall_us());  // new orders begin at once
  state_.forget_unused();
  if (wants_events()) {
    Event event;
    event.kind = Event::Kind::reloaded;
    event.at_us = wall_us();
    publish(std::move(event));
  }
  return {};
}

}  // namespace tandem
