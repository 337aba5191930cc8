#include "media/kernel/bpf.hpp"

#include <elf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "media/load_program.hpp"

namespace tandem::media::bpf {
namespace {

constexpr std::uint32_t tcx_ingress = 46;  // BPF_TCX_INGRESS, Linux 6.6; headers may be older

bpf_attr cleared() noexcept {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  return attr;
}

int call(bpf_cmd command, bpf_attr& attr) noexcept {
  return static_cast<int>(::syscall(SYS_bpf, command, &attr, sizeof attr));
}

std::uint64_t address(const void* at) noexcept { return reinterpret_cast<std::uintptr_t>(at); }

std::string system_version() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "?";
}

Error refused(const std::string& what, int code) {
  if (code == EPERM || code == EACCES)
    return Error{ErrorCode::unsupported, what + " was refused: it needs CAP_BPF and CAP_NET_ADMIN"};
  return Error{ErrorCode::unsupported,
               what + " was refused by Linux " + system_version() + ": " +
                   std::error_code(code, std::generic_category()).message()};
}

// A part of the object file, copied so that it lies as its type wants.
template <class T>
bool copy_at(std::span<const unsigned char> file, std::size_t offset, T& out) noexcept {
  if (offset > file.size() || file.size() - offset < sizeof out) return false;
  std::memcpy(&out, file.data() + offset, sizeof out);
  return true;
}

struct Code {
  std::vector<bpf_insn> instructions;
};

// What of ELF the compiler writes for a program without data: functions in sections, and places
// where the address of a map belongs.
class Object {
 public:
  explicit Object(std::span<const unsigned char> file) : file_(file) {
    if (!copy_at(file, 0, header_) || std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0) return;
    for (std::size_t i = 0; i < header_.e_shnum; ++i) {
      Elf64_Shdr section;
      if (!copy_at(file, header_.e_shoff + i * header_.e_shentsize, section)) return;
      sections_.push_back(section);
      if (section.sh_type == SHT_SYMTAB) symbols_ = section;
    }
    if (symbols_.sh_link < sections_.size()) names_ = sections_[symbols_.sh_link];
  }

  bool find(const char* function, const Maps& maps, Code& code) const {
    Elf64_Sym symbol;
    for (std::size_t i = 0; read_symbol(i, symbol); ++i) {
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || name(symbol.st_name) != function) continue;
      const std::size_t place = symbol.st_shndx;
      if (place >= sections_.size() || symbol.st_size % sizeof(bpf_insn) != 0) return false;
      code.instructions.resize(symbol.st_size / sizeof(bpf_insn));
      for (std::size_t k = 0; k < code.instructions.size(); ++k) {
        if (!copy_at(file_, sections_[place].sh_offset + symbol.st_value + k * sizeof(bpf_insn),
                     code.instructions[k]))
          return false;
      }
      return relocate(place, symbol, maps, code);
    }
    return false;
  }

 private:
  bool read_symbol(std::size_t index, Elf64_Sym& out) const {
    return (index + 1) * sizeof out <= symbols_.sh_size &&
           copy_at(file_, symbols_.sh_offset + index * sizeof out, out);
  }
  [[nodiscard]] std::string_view name(std::size_t offset) const {
    if (offset >= names_.sh_size || names_.sh_offset + names_.sh_size > file_.size()) return {};
    const auto* const text = reinterpret_cast<const char*>(file_.data()) + names_.sh_offset;
    return {text + offset, ::strnlen(text + offset, names_.sh_size - offset)};
  }
  bool relocate(std::size_t place, const Elf64_Sym& function, const Maps& maps, Code& code) const {
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type != SHT_REL || section.sh_info != place) continue;
      for (std::size_t i = 0; i < section.sh_size / sizeof(Elf64_Rel); ++i) {
        Elf64_Rel relocation;
        Elf64_Sym symbol;
        if (!copy_at(file_, section.sh_offset + i * sizeof relocation, relocation) ||
            !read_symbol(ELF64_R_SYM(relocation.r_info), symbol))
          return false;
        if (relocation.r_offset < function.st_value ||
            relocation.r_offset >= function.st_value + function.st_size)
          continue;
        const std::string_view map = name(symbol.st_name);
        const int fd = map == "settings"  ? maps.settings.get()
                       : map == "states"  ? maps.states.get()
                       : map == "streams" ? maps.streams.get()
                                          : -1;
        if (fd < 0) return false;
        bpf_insn& instruction =
            code.instructions[(relocation.r_offset - function.st_value) / sizeof(bpf_insn)];
        instruction.src_reg = BPF_PSEUDO_MAP_FD;
        instruction.imm = fd;
      }
    }
    return true;
  }

  std::span<const unsigned char> file_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Shdr> sections_;
  Elf64_Shdr symbols_{}, names_{};
};

// The last line that is not a summary: what the verifier did not like.
std::string last_complaint(std::string_view log) {
  std::string found;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    if (!line.empty() && !line.starts_with("processed ") && !line.starts_with("verification time"))
      found = line;
    log.remove_prefix(std::min(end + 1, log.size()));
  }
  return found;
}

}  // namespace

Result<UniqueFd> create_array(const char* name, std::uint32_t value_bytes, std::uint32_t entries) {
  bpf_attr attr = cleared();
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = value_bytes;
  attr.max_entries = entries;
  attr.map_flags = BPF_F_MMAPABLE;
  std::strncpy(attr.map_name, name, sizeof attr.map_name - 1);
  UniqueFd fd(call(BPF_MAP_CREATE, attr));
  if (!fd.is_open()) return refused(std::string("the table ") + name, errno);
  return fd;
}

Result<ArrayShape> shape_of(int map) {
  bpf_map_info info{};
  bpf_attr attr = cleared();
  attr.info.bpf_fd = static_cast<std::uint32_t>(map);
  attr.info.info_len = sizeof info;
  attr.info.info = address(&info);
  if (call(BPF_OBJ_GET_INFO_BY_FD, attr) != 0) return refused("the shape of a table", errno);
  if (info.type != BPF_MAP_TYPE_ARRAY || (info.map_flags & BPF_F_MMAPABLE) == 0)
    return ArrayShape{};
  return ArrayShape{info.value_size, info.max_entries};
}

bool read_value(int map, std::uint32_t index, void* value) noexcept {
  bpf_attr attr = cleared();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(&index);
  attr.value = address(value);
  return call(BPF_MAP_LOOKUP_ELEM, attr) == 0;
}

bool write_value(int map, std::uint32_t index, const void* value) noexcept {
  bpf_attr attr = cleared();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(&index);
  attr.value = address(value);
  return call(BPF_MAP_UPDATE_ELEM, attr) == 0;
}

Result<void> pin(int fd, const std::string& path) {
  bpf_attr attr = cleared();
  attr.pathname = address(path.c_str());
  attr.bpf_fd = static_cast<std::uint32_t>(fd);
  if (call(BPF_OBJ_PIN, attr) != 0) return refused(path, errno);
  return {};
}

Result<UniqueFd> open_pinned(const std::string& path) {
  bpf_attr attr = cleared();
  attr.pathname = address(path.c_str());
  UniqueFd fd(call(BPF_OBJ_GET, attr));
  if (!fd.is_open()) return Error{ErrorCode::not_found, path + " was not there"};
  return fd;
}

const char* hook_name(Hook hook) noexcept {
  switch (hook) {
    case Hook::xdp_native:
      return "xdp native";
    case Hook::xdp_generic:
      return "xdp generic";
    case Hook::tc:
      return "tc";
  }
  return "";
}

Result<UniqueFd> load(const char* name, Hook hook, const Maps& maps) {
  Code code;
  if (!Object(object_file()).find(name, maps, code))
    return Error{ErrorCode::unsupported, std::string("the program ") + name +
                                             " is not part of this build (clang made none)"};
  static constexpr char license[] = "Dual BSD/GPL";
  std::array<char, 65536> log{};
  bpf_attr attr = cleared();
  attr.prog_type = hook == Hook::tc ? BPF_PROG_TYPE_SCHED_CLS : BPF_PROG_TYPE_XDP;
  attr.insn_cnt = static_cast<std::uint32_t>(code.instructions.size());
  attr.insns = address(code.instructions.data());
  attr.license = address(license);
  std::strncpy(attr.prog_name, name, sizeof attr.prog_name - 1);
  UniqueFd fd(load_program(attr));
  if (fd.is_open()) return fd;
  const int code_refused = errno;
  if (code_refused != EINVAL && code_refused != EACCES && code_refused != E2BIG)
    return refused(std::string("the program ") + name, code_refused);
  attr.log_level = 1;
  attr.log_size = log.size();
  attr.log_buf = address(log.data());
  UniqueFd again(load_program(attr));
  if (again.is_open()) return again;
  const std::string complaint = last_complaint({log.data(), ::strnlen(log.data(), log.size())});
  if (complaint.empty()) return refused(std::string("the program ") + name, code_refused);
  return Error{ErrorCode::unsupported, std::string("the program ") + name +
                                           " was refused by Linux " + system_version() + ": " +
                                           complaint};
}

Result<UniqueFd> attach(int program, unsigned interface, Hook hook) {
  bpf_attr attr = cleared();
  attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
  attr.link_create.target_ifindex = interface;
  attr.link_create.attach_type = hook == Hook::tc ? tcx_ingress : std::uint32_t{BPF_XDP};
  attr.link_create.flags = hook == Hook::xdp_native    ? XDP_FLAGS_DRV_MODE
                           : hook == Hook::xdp_generic ? XDP_FLAGS_SKB_MODE
                                                       : 0;
  UniqueFd fd(call(BPF_LINK_CREATE, attr));
  if (!fd.is_open()) return refused(hook_name(hook), errno);
  return fd;
}

unsigned interface_of(int link) noexcept {
  bpf_link_info info{};
  bpf_attr attr = cleared();
  attr.info.bpf_fd = static_cast<std::uint32_t>(link);
  attr.info.info_len = sizeof info;
  attr.info.info = address(&info);
  // At tc, which these headers may not know, it is at the same place.
  return call(BPF_OBJ_GET_INFO_BY_FD, attr) == 0 ? info.xdp.ifindex : 0;
}

void detach(int link) noexcept {
  bpf_attr attr = cleared();
  attr.link_detach.link_fd = static_cast<std::uint32_t>(link);
  (void)call(BPF_LINK_DETACH, attr);
}

bool replace_program(int link, int program) noexcept {
  bpf_attr attr = cleared();
  attr.link_update.link_fd = static_cast<std::uint32_t>(link);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(program);
  return call(BPF_LINK_UPDATE, attr) == 0;
}

Result<Trial> try_out(int program, const std::string& frame, Hook hook, unsigned interface,
                      unsigned times) {
  Trial trial;
  trial.frame.resize(frame.size() + 256);
  xdp_md context{};
  bpf_attr attr = cleared();
  attr.test.prog_fd = static_cast<std::uint32_t>(program);
  attr.test.data_in = address(frame.data());
  attr.test.data_size_in = static_cast<std::uint32_t>(frame.size());
  attr.test.data_out = address(trial.frame.data());
  attr.test.data_size_out = static_cast<std::uint32_t>(trial.frame.size());
  attr.test.repeat = times;
  if (hook != Hook::tc && interface != 0) {
    context.data_end = static_cast<std::uint32_t>(frame.size());
    context.ingress_ifindex = interface;
    attr.test.ctx_in = address(&context);
    attr.test.ctx_size_in = sizeof context;
  }
  if (call(BPF_PROG_TEST_RUN, attr) != 0)
    return Error{ErrorCode::io, "the program was not run: " +
                                    std::error_code(errno, std::generic_category()).message()};
  trial.frame.resize(attr.test.data_size_out);
  trial.verdict = attr.test.retval;
  trial.ns = attr.test.duration;
  return trial;
}

Result<void> run_live(int program, const std::string& frame, unsigned interface, unsigned times) {
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  context.ingress_ifindex = interface;
  bpf_attr attr = cleared();
  attr.test.prog_fd = static_cast<std::uint32_t>(program);
  attr.test.data_in = address(frame.data());
  attr.test.data_size_in = static_cast<std::uint32_t>(frame.size());
  attr.test.repeat = times;
  attr.test.ctx_in = address(&context);
  attr.test.ctx_size_in = sizeof context;
  attr.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  attr.test.batch_size = 64;
  if (call(BPF_PROG_TEST_RUN, attr) != 0)
    return Error{ErrorCode::io, "the program was not run: " +
                                    std::error_code(errno, std::generic_category()).message()};
  return {};
}

}  // namespace tandem::media::bpf
