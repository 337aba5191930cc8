#include "tandem/sources.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

namespace tandem {
namespace {

constexpr std::size_t id_length_max = 255;

Error invalid(std::string message) {
  return Error{ErrorCode::invalid_argument, std::move(message)};
}

int address_bits(const IpAddress& ip) noexcept { return ip.is_ipv4() ? 32 : 128; }

IpAddress masked(IpAddress ip, int prefix_length) noexcept {
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(prefix_length - 8 * i, 0, 8);
    ip.bytes[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xFF00u >> kept);
  }
  return ip;
}

struct IpHash {
  std::size_t operator()(const IpAddress& ip) const noexcept {
    return std::hash<SocketAddress>{}(SocketAddress{ip, 0});
  }
};

}  // namespace

Result<SourceAddress> SourceAddress::parse(std::string_view text) {
  if (text.find('/') != std::string_view::npos) {
    auto network = IpNetwork::parse(text);
    if (!network) return network.error();
    return SourceAddress{*network, 0};
  }
  auto socket = SocketAddress::parse(text);
  if (!socket) return socket.error();
  return SourceAddress{IpNetwork{socket->ip, static_cast<std::uint8_t>(address_bits(socket->ip))},
                       socket->port};
}

std::string SourceAddress::to_string() const {
  if (port != 0) return SocketAddress{network.address, port}.to_string();
  if (network.prefix_length == address_bits(network.address)) return network.address.to_string();
  return network.to_string();
}

struct SourceTable::Body {
  struct Customer {
    std::string id;
    int priority = 0;
    bool locked = false;
    NumberPolicy numbers;
    std::vector<SourceAddress> addresses;
  };
  struct Entry {
    std::uint32_t rank;  // Place in the order of trial; those of names begin behind all others.
    std::uint32_t customer;
    std::uint16_t port;
  };
  using Entries = std::vector<Entry>;  // By rank.

  /// All blocks of one family and length, by masked address.
  struct Level {
    IpAddress::Family family;
    int prefix_length;
    std::unordered_map<IpAddress, Entries, IpHash> blocks;
  };

  /// Shared by tables that differ in addresses only.
  std::shared_ptr<std::vector<Customer>> customers = std::make_shared<std::vector<Customer>>();
  std::vector<std::uint32_t> ranks;     // Of each customer.
  std::vector<Level> levels;            // Single addresses are the levels of full length.
  std::unordered_set<std::string> ids;  // Used while building only.

  void index();
  void add(const SourceAddress& address, std::uint32_t customer, std::uint32_t first_rank);
};

/// Blocks stay in order of rank. REQUIRES: `ranks` is there.
void SourceTable::Body::add(const SourceAddress& address, std::uint32_t customer,
                            std::uint32_t first_rank) {
  const auto family = address.network.address.family;
  const int length = address.network.prefix_length;
  auto level = std::find_if(levels.begin(), levels.end(), [&](const Level& l) {
    return l.family == family && l.prefix_length == length;
  });
  if (level == levels.end()) level = levels.insert(level, Level{family, length, {}});
  Entries& entries = level->blocks[masked(address.network.address, length)];
  const Entry entry{first_rank + ranks[customer], customer, address.port};
  entries.insert(std::upper_bound(entries.begin(), entries.end(), entry,
                                  [](const Entry& a, const Entry& b) { return a.rank < b.rank; }),
                 entry);
}

void SourceTable::Body::index() {
  std::vector<std::uint32_t> order(customers->size());
  for (std::uint32_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const Customer &x = (*customers)[a], &y = (*customers)[b];
    return x.priority != y.priority ? x.priority < y.priority : x.id < y.id;
  });
  ranks.resize(order.size());
  for (std::uint32_t rank = 0; rank < order.size(); ++rank)
    ranks[order[rank]] = rank;
  for (const std::uint32_t customer : order) {
    for (const SourceAddress& address : (*customers)[customer].addresses)
      add(address, customer, 0);
    (*customers)[customer].addresses = {};
  }
  ids = {};
}

SourceTable::SourceTable() : body_(std::make_shared<const Body>()) {}
SourceTable::SourceTable(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}

SourceMatch SourceTable::identify(const SocketAddress& source, std::string_view caller,
                                  std::string_view callee) const noexcept {
  struct Cursor {
    const Body::Entry* next;
    const Body::Entry* end;
  };
  std::array<Cursor, 129> cursors;  // One for each length that a family can have.
  std::size_t count = 0;
  for (const Body::Level& level : body_->levels) {
    if (level.family != source.ip.family) continue;
    auto block = level.blocks.find(masked(source.ip, level.prefix_length));
    if (block == level.blocks.end()) continue;
    cursors[count++] = {block->second.data(), block->second.data() + block->second.size()};
  }

  SourceMatch answer;
  while (count > 0) {
    std::size_t first = 0;
    for (std::size_t i = 1; i < count; ++i) {
      if (cursors[i].next->rank < cursors[first].next->rank) first = i;
    }
    const Body::Entry entry = *cursors[first].next++;
    if (cursors[first].next == cursors[first].end) cursors[first] = cursors[--count];
    if (entry.port != 0 && entry.port != source.port) continue;

    const NumberVerdict verdict = (*body_->customers)[entry.customer].numbers.judge(caller, callee);
    if (verdict == NumberVerdict::accepted) {
      return {SourceMatch::Outcome::identified, entry.customer, verdict};
    }
    if (answer.outcome == SourceMatch::Outcome::unknown) {
      answer = {SourceMatch::Outcome::restricted, entry.customer, verdict};
    }
  }
  return answer;
}

SourceTable SourceTable::with(
    const std::vector<std::pair<std::uint32_t, SourceAddress>>& more) const {
  auto body = std::make_shared<Body>(*body_);
  for (const auto& [customer, address] : more) {
    if (customer < body->ranks.size())
      body->add(address, customer, static_cast<std::uint32_t>(body->ranks.size()));
  }
  return SourceTable(std::shared_ptr<const Body>(std::move(body)));
}

std::optional<std::uint32_t> SourceTable::owner_of(const SocketAddress& address) const noexcept {
  const Body::Entry* first = nullptr;
  for (const Body::Level& level : body_->levels) {
    if (level.family != address.ip.family) continue;
    const auto block = level.blocks.find(masked(address.ip, level.prefix_length));
    if (block == level.blocks.end()) continue;
    for (const Body::Entry& entry : block->second) {
      if (entry.rank >= body_->ranks.size()) break;  // of names, as are those behind it
      if (entry.port != 0 && address.port != 0 && entry.port != address.port) continue;
      if (first == nullptr || entry.rank < first->rank) first = &entry;
      break;
    }
  }
  if (first == nullptr) return std::nullopt;
  return first->customer;
}

std::size_t SourceTable::size() const noexcept { return body_->customers->size(); }
std::string_view SourceTable::id(std::uint32_t customer) const noexcept {
  return (*body_->customers)[customer].id;
}
bool SourceTable::locked(std::uint32_t customer) const noexcept {
  return (*body_->customers)[customer].locked;
}
const NumberPolicy& SourceTable::numbers(std::uint32_t customer) const noexcept {
  return (*body_->customers)[customer].numbers;
}

SourceTable::Builder::Builder() : body_(std::make_unique<Body>()) {}
SourceTable::Builder::~Builder() = default;
SourceTable::Builder::Builder(Builder&&) noexcept = default;
SourceTable::Builder& SourceTable::Builder::operator=(Builder&&) noexcept = default;

Result<void> SourceTable::Builder::add(CustomerSource source) {
  if (source.id.empty() || source.id.size() > id_length_max) {
    return invalid("customer id \"" + source.id + "\" was not 1..255 bytes long");
  }
  if (source.priority < 0 || source.priority > 65535) {
    return invalid("priority " + std::to_string(source.priority) + " of customer \"" + source.id +
                   "\" was not between 0 and 65535");
  }
  for (const SourceAddress& address : source.addresses) {
    if (address.network.address.family == IpAddress::Family::none ||
        address.network.prefix_length > address_bits(address.network.address)) {
      return invalid("address \"" + address.to_string() + "\" of customer \"" + source.id +
                     "\" was not an address or a block");
    }
  }
  auto numbers = NumberPolicy::build(source.numbers);
  if (!numbers) {
    return Error{numbers.error().code,
                 "customer \"" + source.id + "\": " + numbers.error().message};
  }
  if (!body_->ids.insert(source.id).second) {
    return Error{ErrorCode::already_exists, "customer \"" + source.id + "\" was added before"};
  }
  body_->customers->push_back({std::move(source.id), source.priority, source.locked,
                               std::move(*numbers), std::move(source.addresses)});
  return {};
}

SourceTable SourceTable::Builder::build() {
  body_->index();
  SourceTable table(std::shared_ptr<const Body>(std::move(body_)));
  body_ = std::make_unique<Body>();
  return table;
}

}  // namespace tandem
