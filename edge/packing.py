"""How a message lies on disk: deflated against a dictionary of what every message says.

A sample is 2.5 kB of which most is names: packed it is a third, and so is what the SD card has to take. The dictionary
is part of the file format. It never changes: a file that was packed against another one could not be read.
"""

import struct
import zlib

DICTIONARY = (
    b'"kind":"cfg_applied""kind":"clock_step""kind":"calibration""kind":"sensor_fault""kind":"sensor_recovered"'
    b'"kind":"ungraded","reason":{"code":"data":{"agent":"sqal-edge ,"kind":"restart","severity":"critical"'
    b'"kind":"gap","severity":"warning","site_code":"LL","line":"line1","gap":{"boot_id":"","first_seq":,"last_seq":'
    b',"reason":"spool_full"}}"unset"{"sample_id":"","device_id":"ESP32_LL_01","timestamp":"2026-'
    b'Z","vl53l8ch":{"raw":{"distance_matrix":[[null,null,null,null,null,null,null,null],[250,250,250,250,250,250,250'
    b'],"reflectance_matrix":[[40,40,40,40,40,40,40,40],[41,41,"amplitude_matrix":[[80,80,80,80,80,80,80,80],[81,'
    b'"status_matrix":[[5,5,5,5,5,5,5,5],[5,5,5,5,5,5,5,5],[5,5,5,5,5,5,5,5],[5,5,5,5,5,5,5,5],[5,5,5,5,5,5,5,5],'
    b'[255,255,255,255,255,255,255,255],"ambient_matrix":[[7,7,7,7,7,7,7,7],[7,7,7,7,7,7,7,7],[8,8,8,8]]},'
    b'"analysis":{"volume_mm3":,"surface_uniformity":0.,"quality_score":0.,"grade":"A+","avg_distance_mm":2'
    b',"std_distance_mm":,"avg_reflectance":,"volume_mm3_u":,"surface_uniformity_u":0.0,"quality_score_u":0.0'
    b',"mass_g":,"mass_g_u":,"belt_distance_mm":25,"tof_anomalies":[{"type":"","position":[],"severity":0.'
    b'}]}},"as7341":{"raw":{"F1_415nm":,"F2_445nm":,"F3_480nm":,"F4_515nm":,"F5_555nm":,"F6_590nm":,"F7_630nm":'
    b',"F8_680nm":,"Clear":,"NIR":},"analysis":{"freshness_index":0.,"fat_quality_index":0.,"oxidation_index":0.'
    b',"quality_score":0.,"ratio_red_nir":,"ratio_clear_nir":,"freshness_index_u":0.0,"fat_quality_index_u":0.0'
    b',"oxidation_index_u":0.0,"quality_score_u":0.0,"gain":64.0,"integration_ms":50.0,"led_ma":20}},'
    b'"fusion":{"final_score":0.,"final_grade":"A","is_compliant":true,"weight_tof":0.6,"weight_spectral":0.4,'
    b'"confidence_level":0.,"final_score_u":0.0,"grade_probability":0.},"lot_id":,"location":"",'
    b'"site_code":"LL","line":"line1","boot_id":"01","seq":,"piece_id":"","clock":{"state":"synced"},'
    b'"agent":"sqal-edge 0.1.0","recipe":"default-1","calibration":{"tof":"","spectral":""},"reasons":[{"code":"'
    b'","params":{}}],"quality_flags":["'
)
WINDOW_BITS = 12  # 4 KiB: a message and the dictionary
LEVEL = 6
BODY_BYTES_MAX = 1 << 20  # what unpacking may yield: no damaged byte makes us fill the memory
_HEAD = struct.Struct(">QBBq")


def pack(body: bytes) -> bytes:
    """`body` as it lies on disk."""
    squeezer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, zdict=DICTIONARY)
    return squeezer.compress(body) + squeezer.flush()


def unpack(packed: bytes) -> bytes:
    """What `pack` was given. Raises zlib.error for bytes that it did not make."""
    opener = zlib.decompressobj(WINDOW_BITS, zdict=DICTIONARY)
    body = opener.decompress(packed, BODY_BYTES_MAX)
    if not opener.eof:
        raise zlib.error("cut short")
    return body


def checksum(position: int, kind: int, stamped: int, monotonic_ns: int, packed: bytes) -> int:
    """CRC-32 over everything that a row says, its place included."""
    try:
        head = _HEAD.pack(position, kind, stamped, monotonic_ns)
    except struct.error:
        return -1  # no row of ours has such values: never equal to a CRC
    return zlib.crc32(packed, zlib.crc32(head))
