// What names of gateways stand for, in the life of a switch.
#include <algorithm>
#include <map>
#include <set>

#include "switch/body.hpp"

namespace tandem {

namespace {

constexpr std::uint64_t name_salt = 3'000;  // beyond those of the registrations

}  // namespace

/// Names of gateways, which the first worker's loop asks for.
Result<void> Switch::Body::open_names() {
  name_random_ = make_random(name_salt);
  name_keeper_ = std::make_unique<NameKeeper>(*seats_.front().loop, *name_random_,
                                              resolver_config(config_.dns, is_simulated()),
                                              hosts_of(config_.dns, is_simulated()), [this] {
                                                has_name_news_.store(true);
                                                builder_wakes_.notify_all();
                                              });
  name_keeper_->want(wanted_locations(*tables_, config_.phone_notices));
  publish_names();
  return {};
}

/// Gives the workers what the names stand for now; not on a worker.
void Switch::Body::publish_names() {
  // Tables and names go together: neither changes meanwhile.
  const auto change = provisioning_body_->exclusive();
  (void)name_keeper_->take_news();
  const std::shared_ptr<const call::Tables> snapshot = tables();
  const std::shared_ptr<const call::Names> before = names();
  const call::LocatedNames located = name_keeper_->located();
  place_notices(located);
  const auto fresh = call::build_names(*snapshot, state_, located, before.get());
  {
    const std::lock_guard lock(config_mutex_);
    names_ = fresh;
  }
  give_workers(fresh);
  state_.vendor_addresses.forget_unused();
  if (before != nullptr) tell_of_places(*snapshot, *before, *fresh);
}

void Switch::Body::tell_of_places(const call::Tables& tables, const call::Names& before,
                                  const call::Names& now) {
  for (const call::Vendor& vendor : tables.vendors) {
    if (!vendor.has_names) continue;
    const route::Places& is = *call::places_of(vendor, &now);
    const route::Places& was = *call::places_of(vendor, &before);
    const auto is_same = [](const route::Place& a, const route::Place& b) {
      return a.health == b.health && a.rank == b.rank && a.weight == b.weight;
    };
    if (std::equal(is.begin(), is.end(), was.begin(), was.end(), is_same)) continue;
    std::string text;
    for (const route::Place& place : is)
      text += (text.empty() ? "" : ", ") + place.health->address().to_string();
    tell_of_names(vendor.config.id, text);
  }
  if (now.named_sources == before.named_sources || before.tables != now.tables) return;
  const auto addresses_of = [](const call::Names& names, std::uint32_t customer) {
    std::string text;
    for (const auto& [index, address] : names.named_sources) {
      if (index == customer) text += (text.empty() ? "" : ", ") + address.to_string();
    }
    return text;
  };
  std::set<std::uint32_t> customers;
  for (const call::Names* names : {&before, &now}) {
    for (const auto& [index, address] : names->named_sources)
      customers.insert(index);
  }
  for (const std::uint32_t customer : customers) {
    const std::string text = addresses_of(now, customer);
    if (text != addresses_of(before, customer))
      tell_of_names(tables.customers[customer].config.id, text);
  }
}

/// `addresses`: what the names of a gateway stand for now; "": nothing.
void Switch::Body::tell_of_names(const std::string& gateway, const std::string& addresses) {
  std::string text =
      addresses.empty() ? "names stand for no address" : "names stand for " + addresses;
  log_.write(LogLevel::info, "switch", text, {{"gateway", gateway}});
  if (!wants_events()) return;
  Event event;
  event.kind = Event::Kind::gateway;
  event.at_us = wall_us();
  event.gateway = gateway;
  event.text = std::move(text);
  publish(std::move(event));
}

std::shared_ptr<const call::Names> Switch::Body::names() const {
  const std::lock_guard lock(config_mutex_);
  return names_;
}

/// Once a second: names that stand for nothing, only for what was true before their servers fell
/// silent, or for what is another customer's.
void Switch::Body::judge_names(
    const std::function<void(const std::string&, bool, const std::string&)>& judge) {
  // A name may be asked for in several ways: it fails when one of them does.
  std::map<std::string, std::string> texts;  // by name; "": nothing is wrong
  for (const auto& [key, found] : name_keeper_->located()) {
    const std::string name = key.substr(0, key.find('/'));
    std::string& text = texts[name];
    if (!text.empty() || (!found.is_stale && !found.places.empty())) continue;
    text = "name " + name +
           (found.is_stale ? " is not known for certain any more, what it stood for is used: "
                           : " stands for no address: ") +
           found.error;
  }
  std::map<std::string, std::string> all;  // by what is watched
  for (auto& [name, text] : texts)
    all["name " + name] = std::move(text);
  if (const auto known = names(); known != nullptr) {
    const std::shared_ptr<const call::Tables> snapshot = tables();
    for (const auto& [customer, owner, address] : known->disputed) {
      if (known->tables != snapshot.get()) break;  // between two versions of them
      const std::string& id = snapshot->customers[customer].config.id;
      all["name of customer " + id] = "name of customer \"" + id + "\" stands for " +
                                      address.to_string() + ", which is an address of customer \"" +
                                      snapshot->customers[owner].config.id +
                                      "\", whose calls stay its own";
    }
  }
  for (const auto& [what, text] : all)
    judge(what, !text.empty(), text);
  // Of what is wrong no more, or asked for no more; the latter alone says nothing.
  std::vector<std::string> over;
  for (const auto& [what, raised] : alarms_) {
    if (what.starts_with("name ") && !all.contains(what)) over.push_back(what);
  }
  for (const std::string& what : over) {
    if (what.starts_with("name of customer ")) judge(what, false, {});
    alarms_.erase(what);
  }
  name_keeper_->repeat_order();
}

call::LocatedNames Switch::Body::located_names() const {
  const std::lock_guard lock(workers_mutex_);
  return life_ == Life::closed ? call::LocatedNames() : name_keeper_->located();
}

}  // namespace tandem
