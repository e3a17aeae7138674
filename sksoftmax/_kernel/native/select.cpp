// Which body runs: detected once, compiled without any ISA flag.

#include <cstdlib>
#include <cstring>
#include <string>

#include "kernel.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace sksoftmax {
namespace {

bool cpu_has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

bool cpu_has_avx512() {
#if defined(__x86_64__)
  return cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

}  // namespace

const Isa* isa_list(int* count) {
#if defined(SKSOFTMAX_HAVE_avx512)
  static const Isa list[] = {{"avx512", cpu_has_avx512()},
                             {"avx2", cpu_has_avx2()},
                             {"baseline", true}};
#else
  static const Isa list[] = {{"baseline", true}};
#endif
  *count = static_cast<int>(sizeof(list) / sizeof(list[0]));
  return list;
}

int choose_isa(const char** error) {
  int count = 0;
  const Isa* list = isa_list(&count);
  const char* forced = std::getenv("SKSOFTMAX_KERNEL");
  static std::string message;
  std::string runnable;
  for (int i = 0; i < count; ++i) {
    const bool wanted = forced == nullptr || *forced == '\0' || !std::strcmp(forced, list[i].name);
    if (wanted && list[i].supported) return i;
    if (list[i].supported) runnable += (runnable.empty() ? "" : ", ") + std::string(list[i].name);
    if (wanted && forced != nullptr && *forced != '\0')
      message = "SKSOFTMAX_KERNEL=" + std::string(forced) +
                ": this CPU does not support that kernel body";
  }
  if (message.empty())
    message = "SKSOFTMAX_KERNEL=" + std::string(forced) + ": no kernel body of that name";
  message += "; accepted here: " + runnable + ", or unset the variable to get the best";
  *error = message.c_str();
  return -1;
}

int max_threads() {
#if defined(_OPENMP)
  return omp_get_max_threads();
#else
  return 1 << 20;
#endif
}

}  // namespace sksoftmax
