#include "codec.h"

const apus_codec *apus_codec_for_type(int32_t type) {
    switch (type) {
        case APUS_TYPE_F32: return &apus_codec_f32;
        case APUS_TYPE_F16: return &apus_codec_f16;
        case APUS_TYPE_BF16: return &apus_codec_bf16;
        case APUS_TYPE_Q4_0: return &apus_codec_q4_0;
        case APUS_TYPE_Q4_1: return &apus_codec_q4_1;
        case APUS_TYPE_Q5_0: return &apus_codec_q5_0;
        case APUS_TYPE_Q5_1: return &apus_codec_q5_1;
        case APUS_TYPE_Q8_0: return &apus_codec_q8_0;
        case APUS_TYPE_Q2_K: return &apus_codec_q2_k;
        case APUS_TYPE_Q3_K: return &apus_codec_q3_k;
        case APUS_TYPE_Q4_K: return &apus_codec_q4_k;
        case APUS_TYPE_Q5_K: return &apus_codec_q5_k;
        case APUS_TYPE_Q6_K: return &apus_codec_q6_k;
        case APUS_TYPE_IQ4_NL: return &apus_codec_iq4_nl;
        case APUS_TYPE_IQ4_XS: return &apus_codec_iq4_xs;
        case APUS_TYPE_Q3_G64: return &apus_codec_q3_g64;
        case APUS_TYPE_Q3_G128: return &apus_codec_q3_g128;
        case APUS_TYPE_I4_ROW: return &apus_codec_i4_row;
        default: return NULL;
    }
}
