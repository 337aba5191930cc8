#include "media/fast/steering.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "media/load_program.hpp"

namespace tandem::media {
namespace {

long bpf(int command, bpf_attr& arguments) noexcept {
  return ::syscall(__NR_bpf, command, &arguments, sizeof arguments);
}

std::uint64_t address_of(const void* of) noexcept { return reinterpret_cast<std::uintptr_t>(of); }

Error refused(const char* what, int code) {
  return Error{is_out_of_files(code) ? ErrorCode::limit : ErrorCode::unsupported,
               std::string(what) + " was refused: " + system_message(code)};
}

/// Instructions in the order in which they run, with jumps by name.
class Program {
 public:
  enum Target : std::int16_t { pass, drop, lookup, ipv6, targets };

  void add(std::uint8_t code, std::uint8_t to, std::uint8_t from, std::int16_t offset,
           std::int32_t number) {
    bpf_insn instruction{};
    instruction.code = code;
    instruction.dst_reg = to & 0xF;
    instruction.src_reg = from & 0xF;
    instruction.off = offset;
    instruction.imm = number;
    instructions_.push_back(instruction);
  }
  void load(std::uint8_t to, std::uint8_t from, std::size_t offset) {
    add(BPF_LDX | BPF_MEM | BPF_W, to, from, static_cast<std::int16_t>(offset), 0);
  }
  void store(std::uint8_t to, std::int16_t offset, std::uint8_t from) {
    add(BPF_STX | BPF_MEM | BPF_W, to, from, offset, 0);
  }
  /// Adds the register `amount`; of several processors each adds all of its own.
  void add_to(std::uint8_t to, std::size_t offset, std::uint8_t amount) {
    add(BPF_STX | BPF_ATOMIC | BPF_W, to, amount, static_cast<std::int16_t>(offset), BPF_ADD);
  }
  void set(std::uint8_t to, std::int32_t number) {
    add(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number);
  }
  void copy(std::uint8_t to, std::uint8_t from) {
    add(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
  }
  void add_number(std::uint8_t to, std::int32_t number) {
    add(BPF_ALU | BPF_ADD | BPF_K, to, 0, 0, number);
  }
  /// Jumps when the lower half of `left` stands to `number` as `how` says.
  void jump(std::uint8_t how, std::uint8_t left, std::uint32_t number, Target target) {
    jumps_.push_back({instructions_.size(), target});
    add(static_cast<std::uint8_t>(BPF_JMP32 | how | BPF_K), left, 0, 0,
        static_cast<std::int32_t>(number));
  }
  void jump_if_null(std::uint8_t pointer, Target target) {
    jumps_.push_back({instructions_.size(), target});
    add(BPF_JMP | BPF_JEQ | BPF_K, pointer, 0, 0, 0);
  }
  void go(Target target) {
    jumps_.push_back({instructions_.size(), target});
    add(BPF_JMP | BPF_JA, 0, 0, 0, 0);
  }
  void call(std::int32_t helper) { add(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
  /// The entry of `map` whose key is the word at the top of the stack into register 0.
  void find(int map) {
    add(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map);
    add(0, 0, 0, 0, 0);
    copy(2, 10);
    add(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, key);
    call(BPF_FUNC_map_lookup_elem);
  }
  void here(Target target) { places_[target] = instructions_.size(); }
  void end(std::int32_t verdict) {
    set(0, verdict);
    add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }

  static constexpr std::int16_t key = -4;  // on the stack

  const std::vector<bpf_insn>& finished() {
    for (const Jump& jump : jumps_)
      instructions_[jump.at].off = static_cast<std::int16_t>(places_[jump.to] - jump.at - 1);
    return instructions_;
  }

 private:
  struct Jump {
    std::size_t at;
    Target to;
  };
  std::vector<bpf_insn> instructions_;
  std::vector<Jump> jumps_;
  std::size_t places_[targets] = {};
};

// Datagrams of ports that have a socket in `table` go to that of `sockets`, all others where they
// would have gone without this program.
std::vector<bpf_insn> program_of(const Steering::Range& range, int table, int sockets) {
  constexpr std::uint8_t r0 = 0, r1 = 1, r2 = 2, r3 = 3, r4 = 4, r5 = 5, datagram = 6, slot = 7,
                         port = 8, stack = 10;
  Program p;
  p.copy(datagram, r1);
  p.load(r2, datagram, offsetof(bpf_sk_lookup, protocol));
  p.jump(BPF_JNE, r2, IPPROTO_UDP, Program::pass);
  p.load(slot, datagram, offsetof(bpf_sk_lookup, local_port));
  p.add_number(slot, -static_cast<std::int32_t>(range.port_first));
  p.jump(BPF_JGE, slot, range.ports, Program::pass);
  p.load(r2, datagram, offsetof(bpf_sk_lookup, family));
  p.jump(BPF_JEQ, r2, AF_INET6, Program::ipv6);
  if (range.address4.is_ipv4()) {
    std::uint32_t ip = 0;
    std::memcpy(&ip, range.address4.bytes.data(), sizeof ip);
    p.load(r2, datagram, offsetof(bpf_sk_lookup, local_ip4));
    p.jump(BPF_JNE, r2, ip, Program::pass);
    p.go(Program::lookup);
  } else {
    p.go(Program::pass);
  }
  p.here(Program::ipv6);
  if (range.address6.is_ipv6()) {
    for (std::size_t word = 0; word < 4; ++word) {
      std::uint32_t part = 0;
      std::memcpy(&part, range.address6.bytes.data() + 4 * word, sizeof part);
      p.load(r2, datagram, offsetof(bpf_sk_lookup, local_ip6) + 4 * word);
      p.jump(BPF_JNE, r2, part, Program::pass);
    }
    p.add_number(slot, static_cast<std::int32_t>(range.ports));
  } else {
    p.go(Program::pass);
  }
  p.here(Program::lookup);
  p.store(stack, Program::key, slot);
  p.find(table);
  p.jump_if_null(r0, Program::pass);
  p.copy(port, r0);
  p.load(r3, port, offsetof(SteeredPort, socket));
  p.jump(BPF_JEQ, r3, 0, Program::pass);
  p.load(r4, port, offsetof(SteeredPort, arrived));
  p.load(r5, port, offsetof(SteeredPort, taken));
  p.add(BPF_ALU | BPF_SUB | BPF_X, r4, r5, 0, 0);
  p.set(r5, 1);
  // Signed: what was counted as taken may be ahead, see SteeredRelay::on_scan().
  p.jump(BPF_JSGE, r4, range.waiting_max, Program::drop);
  p.add_to(port, offsetof(SteeredPort, arrived), r5);
  p.add_number(r3, -1);
  p.store(stack, Program::key, r3);
  p.find(sockets);
  p.jump_if_null(r0, Program::pass);
  p.copy(slot, r0);
  p.copy(r1, datagram);
  p.copy(r2, r0);
  p.set(r3, 0);
  p.call(BPF_FUNC_sk_assign);
  p.copy(r1, slot);
  p.call(BPF_FUNC_sk_release);
  p.here(Program::pass);
  p.end(SK_PASS);
  p.here(Program::drop);
  p.add_to(port, offsetof(SteeredPort, dropped), r5);
  p.end(SK_DROP);
  return p.finished();
}

Result<UniqueFd> make_map(bpf_map_type type, std::uint32_t value_bytes, std::uint32_t entries,
                          std::uint32_t flags) {
  bpf_attr arguments{};
  arguments.map_type = type;
  arguments.key_size = sizeof(std::uint32_t);
  arguments.value_size = value_bytes;
  arguments.max_entries = entries;
  arguments.map_flags = flags;
  UniqueFd map(static_cast<int>(bpf(BPF_MAP_CREATE, arguments)));
  if (!map.is_open()) return refused("a table of the kernel for media ports", errno);
  return map;
}

}  // namespace

Steering::~Steering() {
  if (ports_ != nullptr) ::munmap(ports_, mapped_bytes_);
}

Result<void> Steering::create(const Range& range, std::uint32_t sockets) {
  if (std::optional<std::string> missing = missing_capabilities())
    return Error{ErrorCode::unsupported, std::move(*missing)};
  Result<UniqueFd> table =
      make_map(BPF_MAP_TYPE_ARRAY, sizeof(SteeredPort), range.slots, BPF_F_MMAPABLE);
  if (!table) return std::move(table).error();
  table_ = std::move(*table);
  Result<UniqueFd> of_sockets = make_map(BPF_MAP_TYPE_SOCKMAP, sizeof(std::uint64_t), sockets, 0);
  if (!of_sockets) return std::move(of_sockets).error();
  sockets_ = std::move(*of_sockets);

  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  mapped_bytes_ = (range.slots * sizeof(SteeredPort) + page_bytes - 1) / page_bytes * page_bytes;
  void* const at =
      ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, table_.get(), 0);
  if (at == MAP_FAILED) return refused("memory of the table of media ports", errno);
  ports_ = static_cast<SteeredPort*>(at);

  const std::vector<bpf_insn> instructions = program_of(range, table_.get(), sockets_.get());
  static constexpr char license[] = "BSD";
  bpf_attr arguments{};
  arguments.prog_type = BPF_PROG_TYPE_SK_LOOKUP;
  arguments.expected_attach_type = BPF_SK_LOOKUP;
  arguments.insns = address_of(instructions.data());
  arguments.insn_cnt = static_cast<std::uint32_t>(instructions.size());
  arguments.license = address_of(license);
  std::strncpy(arguments.prog_name, "tandem_media", sizeof arguments.prog_name - 1);
  program_ = UniqueFd(load_program(arguments));
  if (!program_.is_open()) return refused("a program for sk_lookup", errno);
  return {};
}

Result<void> Steering::add_socket(std::uint32_t number, int fd) {
  const auto socket = static_cast<std::uint64_t>(fd);
  bpf_attr arguments{};
  arguments.map_fd = static_cast<std::uint32_t>(sockets_.get());
  arguments.key = address_of(&number);
  arguments.value = address_of(&socket);
  if (bpf(BPF_MAP_UPDATE_ELEM, arguments) != 0) return refused("a socket for sk_lookup", errno);
  return {};
}

Result<void> Steering::attach() {
  const UniqueFd network(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!network.is_open()) return refused("the network namespace", errno);
  bpf_attr arguments{};
  arguments.link_create.prog_fd = static_cast<std::uint32_t>(program_.get());
  arguments.link_create.target_fd = static_cast<std::uint32_t>(network.get());
  arguments.link_create.attach_type = BPF_SK_LOOKUP;
  link_ = UniqueFd(static_cast<int>(bpf(BPF_LINK_CREATE, arguments)));
  if (!link_.is_open()) return refused("sk_lookup in this network namespace", errno);
  return {};
}

std::optional<std::string> missing_capabilities() {
  constexpr unsigned bpf_capability = 39;  // CAP_BPF, Linux 5.8
  static constexpr struct {
    unsigned number;
    const char* name;
  } wanted[] = {
      {CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_NET_RAW, "CAP_NET_RAW"}, {bpf_capability, "CAP_BPF"}};
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(__NR_capget, &header, sets) != 0) return std::nullopt;  // trying will show
  const auto has = [&](unsigned capability) {
    return (sets[capability / 32].effective >> capability % 32 & 1) != 0;
  };
  std::string missing;
  for (const auto& capability : wanted) {
    // CAP_SYS_ADMIN is older and contains it.
    if (has(capability.number) || (capability.number == bpf_capability && has(CAP_SYS_ADMIN)))
      continue;
    missing += (missing.empty() ? "" : ", ") + std::string(capability.name);
  }
  if (missing.empty()) return std::nullopt;
  return "sk_lookup needs " + missing + ", which the process does not have";
}

}  // namespace tandem::media
