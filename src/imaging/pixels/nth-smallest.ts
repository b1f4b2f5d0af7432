/** The value that would stand at `rank`, from 0, if the values were sorted; they change places (Hoare: Algorithm 65, Find, 1961). */
export function nthSmallest(values: Float32Array, rank: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[rank]!;
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const swapped = values[i]!;
      values[i++] = values[j]!;
      values[j--] = swapped;
    }
    if (j < rank) low = i;
    if (i > rank) high = j;
  }
  return values[rank]!;
}
