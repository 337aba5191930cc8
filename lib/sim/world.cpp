#include <algorithm>
#include <map>
#include <unordered_map>

#include "cdr/ledger_sqlite.hpp"
#include "sim/dns_server.hpp"
#include "sim/endpoint.hpp"
#include "sim/lrn_server.hpp"
#include "sim/memory_disk.hpp"
#include "sim/world_access.hpp"
#include "switch/body.hpp"
#include "tandem/sim.hpp"

namespace tandem::sim {
namespace {

constexpr std::int64_t idle_step_us = 500'000;

SimNetworkOptions network_options(const WorldOptions& options) {
  SimNetworkOptions network;
  network.seed = options.seed;
  network.wall_us = options.wall_us;
  network.link = options.link;
  return network;
}

/// Collects the records of one journal, each once: after a crash they come again.
class Collector final : public CdrSink {
 public:
  explicit Collector(std::vector<Cdr>& cdrs) : cdrs_(cdrs) {}
  Result<void> write(const Cdr& cdr) override {
    if (cdr.record_id <= last_record_id_) return {};
    last_record_id_ = cdr.record_id;
    cdrs_.push_back(cdr);
    return {};
  }
  Result<void> flush() override { return {}; }

 private:
  std::vector<Cdr>& cdrs_;
  std::uint64_t last_record_id_ = 0;
};

}  // namespace

struct World::Body {
  explicit Body(const WorldOptions& settings)
      : options(settings), network(std::make_shared<SimNetwork>(network_options(settings))) {
    network->set_tap([this](const DatagramView& view) { on_datagram(view); });
    network->drop_if(
        [this](const DatagramView& view) { return is_crashing || (filter && filter(view)); });
  }

  void on_datagram(const DatagramView& view) {
    if (const auto found = by_address.find(view.from); found != by_address.end())
      found->second->on_wire(view, true);
    if (view.fate == DatagramFate::sent) {
      if (const auto found = by_address.find(view.to); found != by_address.end())
        found->second->on_wire(view, false);
    }
    if (tap) tap(view);
  }

  WorldOptions options;
  std::shared_ptr<SimNetwork> network;
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  std::map<std::string, std::shared_ptr<cdr::Ledger>> ledgers;         // by path of the database
  std::map<std::string, std::shared_ptr<cdr::PackageStore>> packages;  // likewise
  std::map<std::string, std::shared_ptr<ProvisionStore>> provisions;   // the same
  std::map<std::string, std::shared_ptr<phone::RegistrationStore>> registrations;  // the same
  std::map<std::string, std::shared_ptr<Collector>> collectors;  // by folder of the journal
  std::vector<Cdr> cdrs;
  struct Resident {
    std::weak_ptr<io::Network> life;  // expires with the switch
    Switch* residing;
  };
  std::vector<Resident> residents;
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  std::vector<std::unique_ptr<RawEndpoint>> raw_endpoints;
  std::vector<std::unique_ptr<LrnServer>> lrn_servers;
  std::vector<std::unique_ptr<DnsServer>> dns_servers;
  std::unordered_map<SocketAddress, Endpoint::Body*> by_address;
  std::function<bool(const DatagramView&)> filter;
  std::function<void(const DatagramView&)> tap;
  std::uint64_t made = 0;  // gives each switch and endpoint random numbers of its own
  bool is_crashing = false;

  [[nodiscard]] bool is_idle() {
    std::erase_if(residents, [](const Resident& one) { return one.life.expired(); });
    for (const Resident& one : residents) {
      const SwitchCounters counters = one.residing->counters();
      if (counters.calls_live + counters.dialogs_live + counters.transactions_live +
              counters.journal_lag !=
          0) {
        return false;
      }
    }
    return std::all_of(endpoints.begin(), endpoints.end(), [](const auto& endpoint) {
      const EndpointCounters counters = endpoint->counters();
      return counters.calls_live + counters.dialogs_live + counters.transactions_live == 0;
    });
  }
};

World::World(const WorldOptions& options) : body_(std::make_unique<Body>(options)) {}

World::~World() {
  body_->endpoints.clear();
  body_->raw_endpoints.clear();
  body_->lrn_servers.clear();
  body_->dns_servers.clear();
}

SimNetwork& WorldAccess::network(World& world) noexcept { return *world.body_->network; }

Result<std::unique_ptr<Switch>> World::create_switch(SwitchConfig config, SwitchHooks hooks) {
  // Servers of the real network are not asked from virtual time.
  std::erase_if(config.cdr_sinks, [](const CdrSinkConfig& sink) {
    return sink.type == "http" || sink.type == "postgresql" || sink.type == "mariadb" ||
           ((sink.type == "sqlite" || sink.type == "slots") && !sink.path.starts_with('/'));
  });
  auto& ledger = body_->ledgers[config.path(config.database)];
  if (ledger == nullptr) {
    auto opened = cdr::Ledger::open(":memory:");
    if (!opened) return opened.error();
    ledger = std::move(*opened);
  }
  auto& packages = body_->packages[config.path(config.database)];
  if (packages == nullptr) {
    auto opened = cdr::PackageStore::open(":memory:");
    if (!opened) return opened.error();
    packages = std::move(*opened);
  }
  auto& provision = body_->provisions[config.path(config.database)];
  if (provision == nullptr) {
    auto opened = ProvisionStore::open(":memory:");
    if (!opened) return opened.error();
    provision = std::move(*opened);
  }
  auto& registrations = body_->registrations[config.path(config.database)];
  if (registrations == nullptr) {
    auto opened = phone::RegistrationStore::open(":memory:");
    if (!opened) return opened.error();
    registrations = std::move(*opened);
  }
  auto& collector = body_->collectors[config.path(config.cdr_journal)];
  if (collector == nullptr) collector = std::make_shared<Collector>(body_->cdrs);
  hooks.cdr_sinks.insert(hooks.cdr_sinks.begin(), collector);

  Environment environment;
  // One for each switch, so that its end can be seen.
  environment.network = std::shared_ptr<io::Network>(
      body_->network.get(), [network = body_->network](io::Network*) { (void)network; });
  environment.seed = body_->options.seed * 1'000'003 + ++body_->made;
  environment.disk = body_->disk;
  environment.ledger = ledger;
  environment.packages = packages;
  environment.provision = provision;
  environment.registrations = registrations;
  const std::weak_ptr<io::Network> life = environment.network;
  auto made = SwitchAccess::create(config, std::move(hooks), std::move(environment));
  if (made) body_->residents.push_back({life, made->get()});
  return made;
}

void World::crash(std::unique_ptr<Switch> victim) {
  body_->disk->power_cut();
  body_->is_crashing = true;
  victim.reset();  // whatever it says or writes now is lost
  body_->is_crashing = false;
  body_->disk->power_on();
}

Result<Endpoint*> World::add_endpoint(const EndpointConfig& config) {
  auto made = Endpoint::Body::create(*body_->network, config,
                                     body_->options.seed * 1'000'003 + ++body_->made);
  if (!made) return made.error();
  body_->by_address[(*made)->address] = made->get();
  body_->endpoints.push_back(std::make_unique<Endpoint>(std::move(*made)));
  return body_->endpoints.back().get();
}

Result<RawEndpoint*> World::add_raw_endpoint(const std::string& address) {
  auto parsed = SocketAddress::parse(address, 5060);
  if (!parsed) return parsed.error();
  auto made = RawEndpoint::Body::create(*body_->network, *parsed);
  if (!made) return made.error();
  body_->raw_endpoints.push_back(std::make_unique<RawEndpoint>(std::move(*made)));
  return body_->raw_endpoints.back().get();
}

Result<LrnServer*> World::add_lrn_server(const std::string& address, LrnResolverKind kind) {
  const std::uint16_t port = kind == LrnResolverKind::http    ? 80
                             : kind == LrnResolverKind::naptr ? 53
                                                              : 5060;
  auto parsed = SocketAddress::parse(address, port);
  if (!parsed) return parsed.error();
  auto made = LrnServer::Body::create(*body_->network, kind, *parsed);
  if (!made) return made.error();
  body_->lrn_servers.push_back(std::make_unique<LrnServer>(std::move(*made)));
  return body_->lrn_servers.back().get();
}

Result<DnsServer*> World::add_dns_server(const std::string& address) {
  auto parsed = SocketAddress::parse(address, 53);
  if (!parsed) return parsed.error();
  auto made = DnsServer::Body::create(*body_->network, *parsed);
  if (!made) return made.error();
  body_->dns_servers.push_back(std::make_unique<DnsServer>(std::move(*made)));
  return body_->dns_servers.back().get();
}

bool World::run_for_us(std::int64_t us) { return body_->network->run_for_us(us); }

bool World::run_until(const std::function<bool()>& done, std::int64_t limit_us) {
  return body_->network->run_until(done, limit_us);
}

bool World::run_until_idle(std::int64_t limit_us) {
  const std::int64_t end_us = monotonic_us() + limit_us;
  while (!body_->is_idle()) {
    const std::int64_t left_us = end_us - monotonic_us();
    if (left_us <= 0 || !run_for_us(std::min(left_us, idle_step_us))) return false;
  }
  return run_for_us(idle_step_us);  // the last records go to the sinks
}

std::int64_t World::monotonic_us() const { return body_->network->clock().monotonic_us(); }
std::int64_t World::wall_us() const { return body_->network->clock().wall_us(); }
void World::step_wall_us(std::int64_t step_us) {
  body_->network->simulated_clock().step_wall_us(step_us);
}

void World::set_default_link(const LinkSettings& link) { body_->network->set_default_link(link); }
Result<void> World::set_link(const SocketAddress& from, const SocketAddress& to,
                             const LinkSettings& link) {
  return body_->network->set_link(from, to, link);
}
Result<void> World::partition(const IpAddress& a, const IpAddress& b) {
  return body_->network->partition(a, b);
}
Result<void> World::heal(const IpAddress& a, const IpAddress& b) {
  return body_->network->heal(a, b);
}
void World::clear_links() { body_->network->clear_links(); }
void World::drop_if(std::function<bool(const DatagramView&)> predicate) {
  body_->filter = std::move(predicate);
}
void World::set_tap(std::function<void(const DatagramView&)> tap) { body_->tap = std::move(tap); }
const NetworkCounters& World::network_counters() const { return body_->network->counters(); }
std::uint64_t World::trace_hash() const { return body_->network->trace_hash(); }
void World::capture(std::size_t bytes_max) { body_->network->capture(bytes_max); }
Result<void> World::write_pcap(const std::string& path) const {
  return body_->network->write_pcap(path);
}

void World::set_disk_full(bool full) { body_->disk->set_full(full); }
Result<std::string> World::read_file(const std::string& path) const {
  return cdr::read_file(*body_->disk, path);
}
const std::vector<Cdr>& World::cdrs() const { return body_->cdrs; }
void World::clear_cdrs() { body_->cdrs.clear(); }

}  // namespace tandem::sim
