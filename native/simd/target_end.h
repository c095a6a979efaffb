// Closes what target_begin.h opened. The simd headers may then be included again for another instruction set.
#if !defined(MNEME_PORTABLE)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#undef MNEME_TARGET_NAMESPACE
#undef MNEME_SIMD_VECTOR
#undef MNEME_SIMD_LANES16
#undef MNEME_SIMD_FUNCTIONS
